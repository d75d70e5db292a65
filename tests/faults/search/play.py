"""What may happen next in a world, and how each way it goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from drbridge.adapters.http import DEADLINE_SECONDS
from tests.faults.search.far import ANSWERS, BEFORE, FAULTS_OF_ASKING, FAULTS_OF_WRITING, REFUSES, Far
from tests.faults.search.invariants import FENCED, Violation
from tests.faults.search.worker import Flight, Worker
from tests.faults.search.worlds import Begun

STARTS = 2
A_MOMENT = 0.001  # no two transactions are at the same time


@dataclass(frozen=True)
class State:
    """A moment of a schedule.

    Attributes:
        image: the ledger's content.
        troubles: how many more may happen: faults of the wire, crashes, times that pass.
        has_all: nothing more arrives.
        trail: the steps that led here.
    """

    image: bytes
    seconds: float
    far: Far
    workers: tuple[Worker, ...]
    troubles: int
    has_all: bool
    trail: tuple[str, ...] = ()

    def on(self, step: str, **changes: object) -> State:
        return replace(self, trail=(*self.trail, step), **changes)  # type: ignore[arg-type]

    def with_worker(self, place: int, worker: Worker) -> tuple[Worker, ...]:
        return (*self.workers[:place], worker, *self.workers[place + 1 :])


Step = Callable[[], State]


class Play:
    """Two workers, one lane, and the other side."""

    def __init__(self, begun: Begun) -> None:
        self.begun, self.place, self.memory = begun, begun.place, begun.memory
        self._moving = (
            "select 1 from parcels join deliveries on deliveries.id = delivery_id where parcels.state in "
            f"('PENDING', 'IN_FLIGHT', 'UNKNOWN') and deliveries.state = 'OPEN' and lane = '{begun.place.lane}' limit 1"
        )

    def first(self, troubles: int) -> State:
        return State(
            self.begun.image, self.place.time.seconds, self.begun.far, (Worker("A", STARTS), Worker("B", STARTS)),
            troubles, self.begun.world.later is None,
        )  # fmt: skip

    def steps(self, state: State) -> Iterator[Step]:
        """Every way on. The second worker is like the first: it never begins before it."""
        for number, worker in enumerate(state.workers):
            if number and state.workers[0] == Worker("A", STARTS):
                break
            yield from self.of_worker(state, number, worker)
            if state.troubles and worker.stage != "idle":
                yield partial(crashes, state, number)
        if not state.has_all:
            yield partial(self.arrives, state)
        if state.troubles and state.trail:
            yield from (partial(passes, state, jump) for jump in self.begun.world.jumps)

    def of_worker(self, state: State, number: int, worker: Worker) -> Iterator[Step]:
        """Every way on of one worker."""
        in_ledger = partial(partial, self._in_ledger, state, number)
        match worker.stage:
            case "idle" if worker.starts:
                yield in_ledger("acquires", partial(worker.acquires, self.place))
            case "acquired":
                yield in_ledger("takes over", partial(worker.takes_over, self.place))
            case "leaving":
                yield in_ledger("releases", partial(worker.releases, self.place))
            case "working":
                yield from self._of_sender(state, number, worker)

    def _of_sender(self, state: State, number: int, worker: Worker) -> Iterator[Step]:
        """What it has claimed it looks at first, as tasks begin in the order in which they were made."""
        if unseen := worker.unseen:
            looks = partial(worker.looks, self.place, unseen)
            yield partial(self._in_ledger, state, number, "looks at its lease", looks)
            return
        if worker.may_turn:
            yield partial(self._in_ledger, state, number, "turns", worker.turns)
        for flight in worker.flights:
            yield from (partial(self.meets, state, number, flight, what) for what in self._outcomes(state, flight))

    def _outcomes(self, state: State, flight: Flight) -> tuple[str, ...]:
        """What may come of a request; one whose time is over is cut off by its deadline and acts no more."""
        if _is_over(state, flight) or not state.troubles:
            return (self.at_last(state, flight),)
        assert flight.call is not None
        faults = FAULTS_OF_ASKING if flight.call.is_read else FAULTS_OF_WRITING
        had = state.far.has(flight.call)
        return (ANSWERS, *(each for each in faults if not (had and each == REFUSES)))

    def arrives(self, state: State) -> State:
        """What comes later comes now."""
        self._wind(state)
        assert self.begun.world.later is not None
        self.begun.world.later(self.place.desk)
        return state.on("more arrives", image=self.memory.take(), has_all=True)

    def at_last(self, state: State, flight: Flight) -> str:
        """What comes of a request when nothing disturbs it any more."""
        return BEFORE if _is_over(state, flight) else ANSWERS

    def meets(self, state: State, number: int, flight: Flight, what: str) -> State:
        """A request reaches the other side, or does not, and its worker hears; it may look at its lease after that."""
        self._wind(state)
        assert flight.call is not None
        worker = state.workers[number]
        far, answer = state.far.takes(flight.call, what)
        heard = worker.hears(self.place, flight, answer)
        kind = "question" if flight.call.is_read else "request"
        return state.on(
            f"{worker.name}'s {kind} for {flight.claim.id} {what}",
            image=self.memory.take(), far=far, workers=state.with_worker(number, heard),
            troubles=state.troubles - (what != ANSWERS and not _is_over(state, flight)),
        )  # fmt: skip

    def _in_ledger(self, state: State, number: int, what: str, act: Callable[[], Worker]) -> State:
        """A transaction of a worker. I6: of one that has lost the lane it changes nothing."""
        self._wind(state)
        before = state.workers[number]
        is_fenced = self._is_fenced(before)
        worker, trail = act(), f"{before.name} {what}"
        image = self.memory.take()
        if is_fenced and image != state.image:
            raise Violation(FENCED, f"{before.name} has lost the lane and changed the ledger", (*state.trail, trail))
        return state.on(
            trail, image=image, seconds=state.seconds + A_MOMENT, workers=state.with_worker(number, worker)
        )  # fmt: skip

    def moves(self, state: State) -> bool:
        """Whether anything of the lane goes on without a person."""
        self._wind(state)
        return bool(self.memory.rows(self._moving))

    def _is_fenced(self, worker: Worker) -> bool:
        if worker.lease is None:
            return False
        [(epoch,)] = self.memory.rows(f"select epoch from leases where lane = '{worker.lease.name}'")
        return bool(epoch > worker.lease.epoch)

    def _wind(self, state: State) -> None:
        self.memory.put(state.image)
        self.place.time.seconds = state.seconds


def crashes(state: State, number: int) -> State:
    """A worker is no more."""
    worker = state.workers[number]
    return state.on(
        f"{worker.name} crashes", workers=state.with_worker(number, worker.crashes()), troubles=state.troubles - 1
    )


def passes(state: State, jump: float) -> State:
    """Time passes at once, everything else stands still."""
    return state.on(f"{jump:.0f} s pass", seconds=state.seconds + jump, troubles=state.troubles - 1)


def _is_over(state: State, flight: Flight) -> bool:
    return state.seconds - flight.sent_at > DEADLINE_SECONDS
