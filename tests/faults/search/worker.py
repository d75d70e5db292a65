"""A worker that is taken through its work step by step: the real sender, with nothing of it left to the machine."""

from __future__ import annotations

import asyncio
import copy
from dataclasses import dataclass, replace
from typing import Any

import pytest

from drbridge.errors import Interrupted
from drbridge.exchange.desk import Desk
from drbridge.exchange.send import lineup_of, next_place, take_over
from drbridge.exchange.sender import Sender
from drbridge.exchange.work import Work
from drbridge.ledger import leases
from drbridge.ledger.leases import Lease
from drbridge.ledger.parcels import Claim, Settled
from drbridge.ports import Call
from drbridge.systems import Endpoint, Flow
from tests.faults.search.far import ANSWERS, Answer, Far, Wire
from tests.faults.search.rig import Time


@dataclass(frozen=True)
class Place:
    """Where workers work: one lane, with all they need for it."""

    desk: Desk
    flow: Flow
    endpoint: Endpoint
    lane: str
    time: Time


@dataclass(frozen=True)
class Flight:
    """A request under way.

    Attributes:
        met: what it has met so far, each with its moment; empty: it has not looked at the lease yet.
        call: what it has on the wire now.
    """

    claim: Claim
    met: tuple[tuple[float, Answer | None], ...] = ()
    call: Call | None = None

    @property
    def sent_at(self) -> float:
        """When what is on the wire went there."""
        return self.met[-1][0]


@dataclass(frozen=True)
class Worker:
    """One worker at some point of its work; a step makes a new one of it.

    Attributes:
        stage: idle, acquired (it has the lease), working, leaving.
        starts: how often it may begin yet.
        flights: requests under way.
        done: outcomes not written down yet.
    """

    name: str
    starts: int
    stage: str = "idle"
    lease: Lease | None = None
    sender: Sender | None = None
    flights: tuple[Flight, ...] = ()
    done: tuple[Settled, ...] = ()

    @property
    def unseen(self) -> Flight | None:
        """What it has marked as under way and not looked at yet."""
        return next((each for each in self.flights if not each.met), None)

    @property
    def may_turn(self) -> bool:
        """Whether it goes to the ledger next, as `Sender.run` does: something landed, or nothing flies."""
        return self.unseen is None and (bool(self.done) or not self.flights)

    def crashes(self) -> Worker:
        """All that it knew is gone."""
        return Worker(self.name, self.starts)

    def anew(self) -> Worker:
        """It may begin once more, if it does nothing now."""
        return self if self.starts or self.stage != "idle" else replace(self, starts=1)

    def acquires(self, place: Place) -> Worker:
        """Takes the first share that is free, of those in which anything may go."""
        name, lease = f"{self.name}{self.starts}{place.time.seconds}", None
        looked_at: set[tuple[int | None, int]] = set()
        while lease is None and (found := next_place(place.desk, place.lane, looked_at)) is not None:
            looked_at.add(found)
            with place.desk.ledger.write() as tx:
                lease = leases.acquire(tx, place.lane, name, share=found[1])
        begun = replace(self, starts=self.starts - 1)
        return begun if lease is None else replace(begun, stage="acquired", lease=lease)

    def takes_over(self, place: Place) -> Worker:
        assert self.lease is not None
        try:
            with place.desk.ledger.write() as tx:
                take_over(tx, place.endpoint, self.lease)
        except Interrupted:
            return self.crashes()
        lineup = lineup_of(place.desk, place.flow, place.endpoint, Work(by_hand=True))
        sender = Sender(place.desk, place.flow, place.endpoint, self.lease, lineup)
        return replace(self, stage="working", sender=sender)

    def turns(self) -> Worker:
        """Writes what came in and marks what goes next; as `Sender.run` does it."""
        sender = self._sender()
        room = sender.endpoint.in_flight + min(sender.endpoint.in_flight, sender.lineup.ahead) - len(self.flights)
        try:
            claims = sender._turn(list(self.done), room, bool(self.flights))
        except Interrupted:
            return self.crashes()
        flights = self.flights + tuple(Flight(each) for each in claims if each.decided is None)
        stage = "working" if claims or flights else "leaving"
        return replace(self, stage=stage, sender=sender, flights=flights, done=())

    def looks(self, place: Place, flight: Flight) -> Worker:
        """A request is built, and the lease looked at, right before the wire."""
        return self._flies(place, flight, replace(flight, met=((place.time.seconds, None),)))

    def hears(self, place: Place, flight: Flight, answer: Answer) -> Worker:
        return self._flies(place, flight, replace(flight, met=(*flight.met, (place.time.seconds, answer))))

    def _flies(self, place: Place, before: Flight, now: Flight) -> Worker:
        sender = self._sender()
        try:
            came_to = fly(sender, place.time, now)
        except Interrupted:
            return self.crashes()
        others = tuple(each for each in self.flights if each is not before)
        if isinstance(came_to, Settled):
            return replace(self, sender=sender, flights=others, done=(*self.done, came_to))
        flown = replace(now, call=came_to)
        return replace(self, sender=sender, flights=tuple(flown if each is before else each for each in self.flights))

    def releases(self, place: Place) -> Worker:
        assert self.lease is not None
        with place.desk.ledger.write() as tx:
            leases.release(tx, self.lease)
        return Worker(self.name, self.starts)

    def works(self, place: Place, far: Far) -> Far:
        """All it has to do, undisturbed; the other side is as it is then."""
        worker = self.acquires(place).takes_over(place)
        while worker.stage == "working":
            if flight := worker.unseen:
                worker = worker.looks(place, flight)
            elif worker.may_turn:
                worker = worker.turns()
            else:
                flight = worker.flights[0]
                assert flight.call is not None
                far, answer = far.takes(flight.call, ANSWERS)
                worker = worker.hears(place, flight, answer)
        worker.releases(place)
        return far

    def _sender(self) -> Sender:
        """A sender to go on with; the one of this point stays as it is, for the other ways on from here."""
        assert self.sender is not None
        sender = copy.copy(self.sender)
        sender.tally = copy.deepcopy(self.sender.tally)
        sender.looking = asyncio.Lock()
        return sender


def fly(sender: Sender, time: Time, flight: Flight) -> Call | Settled:
    """Runs a request from its beginning through all it has met: what it asks of the wire next, or what came of it.

    A coroutine cannot be kept and gone on with twice; it can be run again. Only its last leg is new, and only there is
    the lease looked at in the ledger; it ends no earlier than it did when the legs before were flown.

    Raises:
        Fenced: another worker has taken the lane.
    """
    troubled = sender.troubled
    if len(flight.met) > 1:
        sender.troubled = float("-inf")  # it was not kept back
    now, course, keep_lease = time.seconds, sender._carry(Wire(), flight.claim), sender._keep_lease
    try:
        asked: Any = None
        with pytest.MonkeyPatch.context() as patch:
            for leg, (moment, answer) in enumerate(flight.met, 1):
                is_new = leg == len(flight.met)
                patch.setattr(sender, "_keep_lease", keep_lease if is_new else _was_kept)
                time.seconds = moment
                asked = course.throw(answer) if isinstance(answer, Exception) else course.send(answer)
        return asked
    except StopIteration as ended:
        return ended.value
    finally:
        course.close()
        time.seconds = now
        sender.troubled = max(sender.troubled, troubled)


def _was_kept() -> None:
    """A leg that was flown before looked at the lease then."""
