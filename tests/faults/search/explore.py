"""Depth first through every schedule of a world."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from hashlib import blake2b

from drbridge.exchange.sender import LEASE_IS_FRESH_SECONDS
from tests.faults.search.ending import ends
from tests.faults.search.play import Play, State
from tests.faults.search.worker import Flight, Worker
from tests.faults.search.worlds import Begun

LOOKS = (
    "select id, state, epoch, code, round(max(next_at - {now}, 0), 1) from parcels",
    "select id, state from deliveries",
    "select lane, epoch, round(max(expires_at - {now}, 0), 1) from leases",
    "select name, failures, round(max(open_until - {now}, 0), 1), round(max(not_before - {now}, 0), 1) from targets",
    "select entity, order_at from standings",
)


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
        found = found or self._ends(state)
        if 0 < left <= self.known_from:
            self._known[mark, left] = found
        return found

    def _ends(self, state: State) -> int:
        if self.tally.schedules == self.limit:
            raise Enough
        self.tally.schedules += 1
        resting = tuple(replace(each, starts=0) for each in state.workers)
        end = self._mark(replace(state, troubles=0, workers=resting))
        if end not in self._ended:
            self._ended.add(end)
            self.tally.endings += 1
            ends(self.play, state)
        return 1

    def _mark(self, state: State) -> bytes:
        """What tells a state apart: all that can make a difference to what comes after it.

        How long ago something was does not, nor how often it was tried: that matters from the tenth try on.
        """
        self.play.memory.put(state.image)
        rows = [self.play.memory.rows(look.format(now=state.seconds)) for look in LOOKS]
        far, workers = (state.far.effects, state.far.keys), [_told(each, state.seconds) for each in state.workers]
        told = (rows, far, state.troubles, state.has_all, workers)
        return blake2b(repr(told).encode(), digest_size=12).digest()


def _told(worker: Worker, now: float) -> tuple[object, ...]:
    sender, lease = worker.sender, worker.lease
    memory = sender and (
        round(max(sender.lease_ends - now, 0.0), 1), now - sender.looked_at > LEASE_IS_FRESH_SECONDS, sender.stop,
        sender.tally.answered, sender.tally.taken, [each.claim.at <= sender.troubled for each in worker.flights],
    )  # fmt: skip
    flights = [_flight_told(each, now) for each in worker.flights]
    done = [(each.claim.id, each.outcome) for each in worker.done]
    return worker.name, worker.starts, worker.stage, lease and (lease.share, lease.epoch), memory, flights, done


def _flight_told(flight: Flight, now: float) -> object:
    if not flight.met:
        return flight.claim.id
    call = flight.call and (flight.call.key, flight.call.method)
    return flight.claim.id, flight.claim.in_doubt, call, round(now - flight.sent_at, 1)


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


def follow(play: Play, troubles: int, trail: Iterable[str]) -> State:
    """Takes the steps of one schedule, as a violation tells them."""
    state = play.first(troubles)
    for told in trail:
        ways = (step() for step in play.steps(state))
        state = next(way for way in ways if way.trail[-1] == told)
    return state
