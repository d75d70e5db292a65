"""Runs one flow and dies by SIGKILL between sending and noting. Started by the exam in a process of its own."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from drbridge.adapters.outside import ConnectionsOutside, environment_connection
from drbridge.exchange import relay, sender
from drbridge.exchange.desk import Desk
from drbridge.exchange.staging import Staging
from drbridge.ledger.database import Ledger
from drbridge.ledger.schema import upgrade
from drbridge.systems import DEFAULT_FILE, load
from tests.flows.chain import run


def die(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_when_something_was_sent(_sender: sender.Sender, _tx: Any, done: list[Any]) -> None:
    if done:
        die()


def run_and_die(flow: str, step: str) -> None:
    """Runs the flow; the process dies when a step has sent something."""
    if step == "send":
        sender.Sender._write_outcomes = die_when_something_was_sent  # type: ignore[method-assign]
    else:
        relay._Relay._settle = die  # type: ignore[method-assign]
    folder = Path(os.environ["DRBRIDGE_TEST_FOLDER"])
    shipped = load(DEFAULT_FILE)
    systems = shipped.model_copy(update={"site": shipped.site.model_copy(update={"quiet_seconds": 0.0})})
    ledger = Ledger(f"sqlite:///{folder / 'ledger.db'}")
    upgrade(ledger)
    staging = Staging((folder / "staging").as_uri())
    run(Desk(systems, ledger, staging, ConnectionsOutside(environment_connection)), flow)
