"""How every schedule ends: faults stop, a clean worker finishes, those who were paused wake up late."""

from __future__ import annotations

from dataclasses import replace

from tests.faults.search.invariants import QUIET, Violation, check
from tests.faults.search.play import Play, State
from tests.faults.search.worker import Worker

PAUSES = (91.0, 16 * 60.0, 91.0, 16 * 60.0)
A_DAY = 86_400.0


def ends(play: Play, state: State) -> None:
    """Plays a schedule to its end, and holds the invariants against it.

    What is on the wire acts, its worker hears nothing of it before the others are done.

    Raises:
        Violation: one does not hold.
    """
    if not state.has_all:
        state = play.arrives(state)
    for number, worker in enumerate(state.workers):
        for flight in worker.flights:
            if flight.call is not None:
                state = play.meets(state, number, flight, play.at_last(state, flight))
    late, state = state.workers, state.on("faults stop", workers=())
    for pause in PAUSES:
        state = _clean(play, state.on("time passes", seconds=state.seconds + pause))
        if not play.moves(state):
            break
    for worker in late:
        state = _runs(play, state.on(f"{worker.name} wakes up late", workers=(replace(worker, starts=0),)))
    check(play.begun, state.far, state.trail)
    calls = state.far.calls
    state = _clean(play, state.on("a day passes", seconds=state.seconds + A_DAY))
    if state.far.calls != calls:
        raise Violation(QUIET, f"{state.far.calls - calls} calls", state.trail)


def _clean(play: Play, state: State) -> State:
    return _runs(play, state.on("a clean worker begins", workers=(Worker("C", play.begun.world.senders),)))


def _runs(play: Play, state: State) -> State:
    """Lets the one worker there is go on, undisturbed, until it has nothing left to do."""
    state = replace(state, troubles=0)
    while step := next(play.steps(state), None):
        state = step()
    return state
