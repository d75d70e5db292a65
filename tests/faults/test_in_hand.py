"""What is marked as under way and still waits for the wire goes back when it should not go any more."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from drbridge.exchange.sender import Sender
from drbridge.ledger import targets
from drbridge.ledger.database import Tx
from drbridge.ledger.states import ParcelState
from tests.faults.search.far import ANSWERS
from tests.faults.search.rig import by_hand
from tests.faults.search.worker import Worker
from tests.faults.search.worlds import OUTCOMES, Begun, World, begun, outcomes

FILE = World("a file of three chunks", "resend", OUTCOMES, outcomes(3), rows=1)


@pytest.fixture
def world() -> Iterator[Begun]:
    with by_hand(), begun(FILE) as ready:
        yield ready


def with_two_in_hand(world: Begun) -> Worker:
    """Of three chunks the first was taken, the others are marked as under way."""
    place = world.place
    place.time.seconds += 1.0
    worker = Worker("A", 1).acquires(place).takes_over(place).turns()
    worker = worker.looks(place, worker.flights[0])
    call = worker.flights[0].call
    assert call is not None
    _, answer = world.far.takes(call, ANSWERS)
    place.time.seconds += 1.0
    worker = worker.hears(place, worker.flights[0], answer).turns()
    assert [flight.call for flight in worker.flights] == [None, None]
    place.time.seconds += 1.0
    return worker


def another_is_asked_to_wait(world: Begun, _: Sender, tx: Tx) -> None:
    targets.asked_to_wait(tx, world.place.endpoint.connection, 60.0)


def another_is_not_let_in(world: Begun, _: Sender, tx: Tx) -> None:
    targets.stopped(tx, world.place.endpoint.connection, "wrong password")


def file_is_held(_: Begun, sender: Sender, tx: Tx) -> None:
    assert sender.last is not None
    sender._hold_delivery(tx, sender.last, "its beginning was refused")


@pytest.mark.parametrize("happens", [another_is_asked_to_wait, another_is_not_let_in, file_is_held])
def test_what_waits_for_the_wire_goes_back(world: Begun, happens: Callable[[Begun, Sender, Tx], None]) -> None:
    worker = with_two_in_hand(world)
    assert worker.sender is not None
    with world.place.desk.ledger.write() as tx:
        happens(world, worker.sender, tx)
    worker.sender._turn([], 0, True)
    for flight in worker.flights:
        worker = worker.looks(world.place, flight)
    assert not worker.flights, "it went on the wire"
    worker.turns()
    found = world.memory.rows("select state from parcels order by first_row")
    assert found == [(ParcelState.ACKED,), (ParcelState.PENDING,), (ParcelState.PENDING,)]


def test_what_waits_for_the_wire_goes_while_all_is_well(world: Begun) -> None:
    worker = with_two_in_hand(world)
    for flight in worker.flights:
        worker = worker.looks(world.place, flight)
    assert all(flight.call is not None for flight in worker.flights)
