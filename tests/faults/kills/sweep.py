"""Kill sweeps: a real process is killed at every n-th write, send, receive and fsync of a delivery.

A step of the flow is run in a process of its own, under strace. First its system calls are counted; then, call by call,
the delivery begins afresh and the process dies right before that call. The schedule then goes on waking the flow.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from io import StringIO
from pathlib import Path

import httpx
import pytest

from drbridge.adapters.outside import ConnectionsOutside
from drbridge.exchange import send
from drbridge.exchange.desk import Desk
from drbridge.ledger import messages
from drbridge_sandbox.sandbox import Sandbox
from tests.faults.journeys import Ended, Journey, Road, enrollments, line_of, own_home, scores, stages
from tests.faults.kills import strace
from tests.faults.kills.runner import ACCEPT, Errand, deliver
from tests.faults.line import Line
from tests.flows.conftest import connection_of
from tests.forks import forked, forks
from tests.inbox.serving import STATUS, signed_in

PROCESSES = 2
EVERY = 3
LONGEST_SECONDS = 120.0


@dataclass(frozen=True)
class Route:
    """A delivery and the steps in which it is killed, in order."""

    journey: Journey
    steps: Sequence[str]

    def __str__(self) -> str:
        return self.journey.name

    def after(self, step: str) -> str:
        """The step behind a step; nothing behind the last."""
        return dict(zip(self.steps, self.steps[1:], strict=False)).get(step, "")


ROUTES = (
    Route(enrollments(20), ("look", "relay", "put in place", "archive")),
    Route(scores(20), ("look", "take", "send", "archive")),
    Route(stages(), (ACCEPT, "send", "answer")),
)


@dataclass(frozen=True)
class Kill:
    """Right before which call of one step the process dies, and of what kind that is."""

    step: str
    call: str
    number: int
    kind: str

    def __str__(self) -> str:
        return f"killed in {self.step} before {self.call} {self.number}"


@dataclass
class Range:
    """Where a route is walked again and again, and killed."""

    route: Route
    box: Sandbox
    folder: Path
    road: Road = field(init=False)

    def __post_init__(self) -> None:
        with no_lingering():
            self.road = Road(
                self.route.journey, self.box, self.folder,
                lambda inbox: ConnectionsOutside(partial(connection_of, self.box), inbox=inbox),
            )  # fmt: skip

    @cached_property
    def calls(self) -> list[Kill]:
        """What a process can be killed before: every call of each kind that the steps make."""
        return [
            Kill(step, call, number, kind)
            for step in self.route.steps
            for call, kinds in sorted(self._made(step).items())
            for number, kind in enumerate(kinds, 1)
            if kind
        ]  # fmt: skip

    def _made(self, step: str) -> dict[str, list[str]]:
        desk = self.road.desk()
        errand = self._errand(desk, step, until=self.route.after(step))
        _Process(errand, self.folder / "calls").run()
        desk.ledger.close()
        return strace.made(self.folder / "calls")

    def shoot(self, kill: Kill) -> Ended | None:
        """Kills one delivery, and has it finished by others; None when the process lived to its end."""
        desk = self.road.desk()
        process = _Process(
            self._errand(desk, kill.step), self.folder / "calls", *strace.kill_at(kill.call, kill.number)
        )
        was_killed = process.run()
        forgotten = [number for number in process.answered if not _is_stored(desk, number)]
        self.road.journey.arrive(desk)
        with no_lingering():
            ended = self.road.finish(desk)
        if forgotten:
            ended = replace(ended, lost=True, why=f"{ended.why}; answered and not stored: {forgotten}")
        return ended if was_killed else None

    def _errand(self, desk: Desk, step: str, until: str = "") -> Errand:
        connections = {conn_id: connection_of(self.box, conn_id) for conn_id in self.box.connections()}
        settings = {"DRBRIDGE_HOME": os.environ["DRBRIDGE_HOME"]}
        return Errand(self.route.journey, self.folder / "home", desk.ledger.url, connections, settings, step, until)


class _Process:
    """The process of one errand, under strace from the step at which it waits.

    Attributes:
        answered: numbers of the messages that its inbox said to have taken.
    """

    def __init__(self, errand: Errand, log: Path, *options: str) -> None:
        self.errand, self.answered = errand, list[str]()
        self._log, self._options = log, options
        self._line, there = forks.Pipe()
        self._process = forked(deliver, errand, there)
        there.close()

    def run(self) -> bool:
        """Lets it go to its end; says whether it was killed."""
        with suppress(EOFError, ConnectionError):
            if self.errand.journey.posts and self.errand.step != ACCEPT:
                self._post(self._line.recv())
            self._under_strace()
        self._process.join(LONGEST_SECONDS)
        assert self._process.exitcode in (0, -signal.SIGKILL), f"{self.errand.step} ended {self._process.exitcode}"
        return self._process.exitcode != 0

    def _under_strace(self) -> None:
        url = self._line.recv() if self.errand.step == ACCEPT else ""
        assert self._line.recv() == "waiting"
        assert self._process.pid is not None
        with strace.holding(self._process.pid, self._log, *self._options):
            self._line.send("go")
            if url:
                self._post(url)

    def _post(self, url: str) -> None:
        """Sends the messages in order, as their sender does: the next one when the one before was answered."""
        with signed_in(url) as client, suppress(httpx.TransportError):
            for post in self.errand.journey.posts:
                told = client.post(STATUS, json=post.data)
                assert told.status_code == 202, told.text
                self.answered.append(told.json()["messageNumber"])
            self._line.send("all were answered")


@dataclass(frozen=True)
class Shots:
    """What came of one worker's part of the kills of a route.

    Attributes:
        calls: how many there were, by kind.
        ends: how the deliveries of the processes that were really killed ended, by the kind of call.
        told: what went wrong, in words.
    """

    calls: Mapping[str, int]
    ends: Sequence[tuple[str, Ended]]
    told: Sequence[str]


def prove_kills(say: Callable[[str], None] = print, every: int = EVERY) -> list[Line]:
    """Kills processes before every n-th call of each step of each route, in two processes with a sandbox each."""
    if not strace.is_installed():
        return [Line("kills", str(route), 0, note=strace.MISSING) for route in ROUTES]
    say(f"kills: before every {every}. call; this takes some minutes")
    with ProcessPoolExecutor(PROCESSES, mp_context=multiprocessing.get_context("spawn")) as pool:
        parts = [pool.submit(shoot_part, number, every) for number in range(PROCESSES)]
        shots = [part.result() for part in parts]
    return [line for route, parts in zip(ROUTES, zip(*shots, strict=True), strict=True)
            for line in _lines(route, parts, say)]  # fmt: skip


def shoot_part(number: int, every: int) -> list[Shots]:
    """One worker's part: each second kill, on a sandbox of its own."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="drbridge-kills-")))
        stack.enter_context(own_home(folder))
        stack.enter_context(redirect_stdout(StringIO()))
        box = stack.enter_context(Sandbox(folder / "sandbox"))
        return [shots(Range(route, box, folder / str(place)), every, number) for place, route in enumerate(ROUTES)]


def shots(where: Range, every: int, part: int = 0, parts: int = PROCESSES) -> Shots:
    """Makes every n-th kill of a route that is this part's."""
    made = [(kill, where.shoot(kill)) for kill in where.calls[::every][part::parts]]
    ends = [(kill.kind, ended) for kill, ended in made if ended is not None]
    told = [f"{where.route}, {kill}: {ended.why}" for kill, ended in made if ended and ended.why]
    return Shots(Counter(kill.kind for kill in where.calls), ends, told)


def _lines(route: Route, parts: Sequence[Shots], say: Callable[[str], None]) -> Iterator[Line]:
    for what in (what for part in parts for what in part.told):
        say(what)
    for kind in strace.KINDS:
        ends = [ended for part in parts for its_kind, ended in part.ends if its_kind == kind]
        note = f"of {max(part.calls[kind] for part in parts)} calls"
        yield line_of("kills", f"SIGKILL before {kind}: {route}", ends, note)


def _is_stored(desk: Desk, number: str) -> bool:
    with desk.ledger.read() as tx:
        return bool(messages.by_number(tx, [number]))


@contextmanager
def no_lingering() -> Iterator[None]:
    """Messages that may still come are not waited for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(send, "LINGER_SECONDS", 0.0)
        yield
