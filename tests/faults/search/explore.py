"""Depth first through every schedule of a world."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import blake2b

from tests.faults.search.ending import ends
from tests.faults.search.play import Play, State
from tests.faults.search.worker import Worker
from tests.faults.search.worlds import Begun

LOOKS = (
    "select id, state, epoch, tries, next_at, code from parcels", "select id, state from deliveries",
    "select lane, epoch, expires_at from leases", "select * from targets", "select entity, order_at from standings",
    "select parcel_id, outcome, count(*) from attempts group by 1, 2",
)  # fmt: skip


@dataclass
class Tally:
    """What a search has been through.

    Attributes:
        schedules: that were taken, each of their steps, to the depth or to where nothing is left to do.
        covered: schedules there are; those not taken meet a state from which all that follow were.
        endings: of the schedules taken, how many end differently; an ending known from before is not played again.
        steps: that were taken.
        states: that differ from each other.
    """

    schedules: int = 0
    covered: int = 0
    endings: int = 0
    steps: int = 0
    states: int = 0


class Enough(Exception):
    """As many schedules as were asked for."""


class Search:
    """One world, searched to a depth.

    Args:
        depth: steps of a schedule, before it is ended.
        troubles: faults of the wire, crashes and jumps of the clock in one schedule, at most.
        known_from: steps before the end from which on a known state is not searched again; 0: every step is taken.
        limit: of schedules to take; None: all.
    """

    def __init__(
        self, begun: Begun, depth: int, troubles: int, known_from: int = 0, limit: int | None = None
    ) -> None:  # fmt: skip
        self.play, self.depth, self.troubles = Play(begun), depth, troubles
        self.known_from, self.limit = known_from, limit
        self.tally = Tally()
        self._states: set[bytes] = set()
        self._ended: set[bytes] = set()
        self._known: dict[tuple[bytes, int], int] = {}

    def run(self) -> Tally:
        """Every schedule.

        Raises:
            Violation: the first one that is found.
        """
        with _few_collections(), suppress(Enough):
            self.tally.covered = self._go(self.play.first(self.troubles), self.depth)
        self.tally.states = len(self._states)
        return self.tally

    def _go(self, state: State, left: int) -> int:
        """Takes all schedules that go on from a state; returns how many there are."""
        mark = self._mark(state)
        self._states.add(mark)
        if (known := self._known.get((mark, left))) is not None:
            return known
        found = 0
        for step in self.play.steps(state) if left else ():
            self.tally.steps += 1
            found += self._go(step(), left - 1)
        found = found or self._ends(state, mark)
        if 0 < left <= self.known_from:
            self._known[mark, left] = found
        return found

    def _ends(self, state: State, mark: bytes) -> int:
        if self.tally.schedules == self.limit:
            raise Enough
        self.tally.schedules += 1
        if mark not in self._ended:
            self._ended.add(mark)
            self.tally.endings += 1
            ends(self.play, state)
        return 1

    def _mark(self, state: State) -> bytes:
        """What tells a state apart: all that can make a difference to what comes after it."""
        self.play.memory.put(state.image)
        rows = [self.play.memory.rows(look) for look in LOOKS]
        far, workers = (state.far.effects, state.far.keys), [_told(each) for each in state.workers]
        told = (rows, state.seconds, far, state.troubles, state.has_all, workers)
        return blake2b(repr(told).encode(), digest_size=12).digest()


def _told(worker: Worker) -> tuple[object, ...]:
    sender = worker.sender
    memory = (sender.lease_ends, sender.stop, sender.success_noted, sender.tally.answered, sender.tally.taken) if (
        sender
    ) else ()  # fmt: skip
    return (
        worker.name, worker.starts, worker.stage, worker.lease, memory,
        [(each.claim.id, each.claim.in_doubt, each.claim.key, each.lease_ends, each.met) for each in worker.flights],
        [(each.claim.id, each.outcome) for each in worker.done],
    )  # fmt: skip


@contextmanager
def _few_collections() -> Iterator[None]:
    """Millions of short-lived objects, next to no cycles."""
    gc.collect()
    usual = gc.get_threshold()
    gc.set_threshold(100_000, 20, 20)
    try:
        yield
    finally:
        gc.set_threshold(*usual)
