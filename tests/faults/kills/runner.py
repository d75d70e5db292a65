"""The process that is killed: it makes one delivery, and waits at a step of it until somebody holds the rifle."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any

from drbridge.adapters.outside import ConnectionsOutside
from drbridge.exchange import relay, send
from drbridge.exchange.desk import Desk
from drbridge.exchange.staging import Staging
from drbridge.inbox.alone import both
from drbridge.ledger.database import Ledger
from drbridge.ports import Connection
from tests.faults import journeys
from tests.faults.journeys import Journey, site
from tests.flows import chain
from tests.inbox.serving import callers_in, listening

STEPS: dict[str, Sequence[tuple[Any, str]]] = {
    "look": [(chain, "look")],
    "take": [(chain, "take")],
    "relay": [(chain, "relay")],
    "put in place": [(relay._Relay, "_complete")],
    "send": [(chain, "send"), (journeys, "send")],
    "archive": [(chain, "archive")],
    "answer": [(chain, "answer"), (journeys, "answer")],
}
ACCEPT = "accept"
"""The one step that is not the flow's: the inbox takes the messages."""
_MAY_TRACE_ME, _ANYBODY = 0x59616D61, ctypes.c_ulong(-1)


@dataclass(frozen=True)
class Errand:
    """What the process is to do.

    Attributes:
        home: folder of its ledger and its staging.
        settings: of its environment.
        step: where it waits.
        until: the step before which it ends; nothing: it goes on to the end.
    """

    journey: Journey
    home: Path
    ledger_url: str
    connections: Mapping[str, Connection]
    settings: Mapping[str, str]
    step: str
    until: str = ""


def deliver(errand: Errand, line: Pipe) -> None:
    """Makes the delivery. Says where it takes messages, if it does, and that it waits; goes on when it is told to."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_MAY_TRACE_ME, _ANYBODY, 0, 0, 0)
    os.environ.update(errand.settings)
    send.LINGER_SECONDS = 0.0
    staging = Staging((errand.home / "staging").as_uri())
    outside = ConnectionsOutside(errand.connections.__getitem__, inbox=staging.inbox)
    desk = Desk(site(), Ledger(errand.ledger_url), staging, outside)
    _before(errand.step, lambda: _wait(line))
    _before(errand.until, lambda: os._exit(0))
    if errand.journey.posts:
        _take_messages(errand, desk, line)
    errand.journey.run(desk)


def _take_messages(errand: Errand, desk: Desk, line: Pipe) -> None:
    """Serves the inbox until every message was answered."""
    with listening(both(lambda: desk, callers_in(errand.home))) as url:
        line.send(url)
        if errand.step == ACCEPT:
            _wait(line)
        line.recv()


def _wait(line: Pipe) -> None:
    line.send("waiting")
    line.recv()


def _before(step: str, act: Callable[[], None]) -> None:
    """Has something done once, before a step begins for the first time."""
    waiting = [act]

    def first_of_all(real: Callable[..., Any]) -> Callable[..., Any]:
        def acting(*given: Any, **named: Any) -> Any:
            if waiting:
                waiting.pop()()
            return real(*given, **named)

        return acting

    for where, name in STEPS.get(step, ()):
        setattr(where, name, first_of_all(getattr(where, name)))
