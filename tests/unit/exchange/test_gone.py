"""Relays whose source went away: told from those whose file is there, under its name or under the one we gave it."""

from __future__ import annotations

from sqlalchemy import select, update

from drbridge.exchange.desk import Desk
from drbridge.exchange.gone import set_aside
from drbridge.ledger import deliveries, intakes, parcels
from drbridge.ledger.database import Tx, clock
from drbridge.ledger.deliveries import NewDelivery, relay_lane_of
from drbridge.ledger.intakes import Arrival, Fingerprint
from drbridge.ledger.parcels import Span
from drbridge.ledger.states import DeliveryState
from drbridge.ledger.tables import looks, sightings
from drbridge.ledger.tables import parcels as parcels_table
from drbridge.ports import Entry

FLOW, TO = "dacs_ouai_enrollment_sync", "ouai_enrollment"


def arrive(desk: Desk, tx: Tx, sha: str, name: str, state: DeliveryState = DeliveryState.OPEN) -> None:
    """A file that was read under this name and has not been relayed."""
    source = desk.systems.flow(FLOW).source
    arrival = Arrival("enrollment_sync", sha, "", name, source, 1, 1, 1, 0, 0, None, None, 1.0)
    intake = intakes.add(tx, arrival, {}, [])
    assert intake is not None
    intakes.sight(tx, intake, source, Fingerprint(name, 1, float(len(sha)), sha))
    new = NewDelivery(FLOW, TO, relay_lane_of(FLOW, TO, sha), state, 1)
    delivery = deliveries.add(tx, intake, 1.0, new)
    assert delivery is not None
    if state == DeliveryState.OPEN:
        parcels.add(tx, delivery, sha, TO, [Span(0, 0, 1)])


def look(desk: Desk, *names: str, mtime: float = 1.0) -> list[str]:
    """What two looks an hour apart say is gone when these files are listed."""
    entries = [Entry(name, 1, mtime) for name in names]
    set_aside(desk, desk.systems.flow(FLOW), entries)
    with desk.ledger.write() as tx:
        tx.execute(update(looks).values(since_at=clock(tx) - 3600))
    return [row.name for row in set_aside(desk, desk.systems.flow(FLOW), entries)]


def states(desk: Desk) -> list[str]:
    with desk.ledger.read() as tx:
        return list(tx.execute(select(parcels_table.c.state).order_by(parcels_table.c.id)).scalars())


def rename(desk: Desk, name: str, to: str) -> None:
    source = desk.systems.flow(FLOW).source
    with desk.ledger.write() as tx:
        there = intakes.sighting(tx, source, name)
        assert there is not None
        intakes.renamed(tx, there.intake_id, source, name, to)


def test_a_file_that_is_listed_is_there(desk: Desk) -> None:
    with desk.ledger.write() as tx:
        arrive(desk, tx, "a", "a.csv")
    assert look(desk, "a.csv") == []
    assert states(desk) == ["PENDING"]


def test_a_file_that_is_not_listed_is_gone(desk: Desk) -> None:
    with desk.ledger.write() as tx:
        arrive(desk, tx, "a", "a.csv")
        arrive(desk, tx, "bb", "b.csv")
    assert look(desk, "b.csv") == ["a.csv"]
    assert states(desk) == ["PARKED", "PENDING"]


def test_a_first_look_parks_nothing(desk: Desk) -> None:
    with desk.ledger.write() as tx:
        arrive(desk, tx, "a", "a.csv")
    assert set_aside(desk, desk.systems.flow(FLOW), []) == []
    assert set_aside(desk, desk.systems.flow(FLOW), []) == [], "the quiet time has not passed"
    assert states(desk) == ["PENDING"]


def test_a_file_under_the_name_that_we_gave_it_is_there(desk: Desk) -> None:
    with desk.ledger.write() as tx:
        arrive(desk, tx, "a", "a.csv")
    rename(desk, "a.csv", "Sent-a.csv")
    assert look(desk, "Sent-a.csv") == []
    assert look(desk) == ["a.csv"]


def test_a_file_that_a_person_renamed_back_is_there_before_it_is_read(desk: Desk) -> None:
    with desk.ledger.write() as tx:
        arrive(desk, tx, "a", "a.csv")
    rename(desk, "a.csv", "Error-a.csv")
    assert look(desk, "a.csv", mtime=99.0) == []


def test_a_file_is_gone_once_another_was_read_in_its_place(desk: Desk) -> None:
    with desk.ledger.write() as tx:
        arrive(desk, tx, "a", "a.csv")
    assert look(desk, "a.csv", mtime=2.0) == [], "what lies there has not been read"
    with desk.ledger.write() as tx:
        arrive(desk, tx, "bb", "a.csv")
    assert look(desk, "a.csv", mtime=2.0) == ["a.csv"]
    assert states(desk) == ["PARKED", "PENDING"]


def test_a_replaced_file_that_is_owed_stays_in_sight_when_the_other_is_archived(desk: Desk) -> None:
    with desk.ledger.write() as tx:
        arrive(desk, tx, "settled", "a.csv", DeliveryState.DONE)
        arrive(desk, tx, "owed", "a.csv")
        arrive(desk, tx, "new", "a.csv", DeliveryState.DONE)
    rename(desk, "a.csv", "Sent-a.csv")
    with desk.ledger.read() as tx:
        over = tx.execute(select(sightings.c.renamed_at.is_not(None)).order_by(sightings.c.id)).scalars().all()
    assert over == [True, False, True]
    assert look(desk, "Sent-a.csv") == ["a.csv"]
