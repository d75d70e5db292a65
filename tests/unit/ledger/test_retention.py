"""What the ledger may forget, on both databases: nothing that is not settled, and only after its time."""

from __future__ import annotations

import pytest
from sqlalchemy import func, insert, select, update

from drbridge.ledger import deliveries, intakes, leases, parcels, retention, standings
from drbridge.ledger.database import Ledger, Tx, clock
from drbridge.ledger.deliveries import NewDelivery, relay_lane_of
from drbridge.ledger.intakes import Arrival, Fingerprint
from drbridge.ledger.messages import Bound, Letter, add
from drbridge.ledger.parcels import Span
from drbridge.ledger.standings import Standing
from drbridge.ledger.states import DeliveryState, ParcelState
from drbridge.ledger.tables import attempts, mentions, metadata, problems
from drbridge.ledger.tables import deliveries as deliveries_table
from drbridge.ledger.tables import intakes as intakes_table
from drbridge.ledger.tables import leases as leases_table
from drbridge.ledger.tables import messages as messages_table
from drbridge.ledger.tables import parcels as parcels_table

LONG_AGO, BEFORE, LATELY = 1_000.0, 2_000.0, 3_000.0


def message(tx: Tx, number: str, ended_at: float | None, received_at: float = LONG_AGO, file_name: str = "") -> None:
    """A message that was settled then, or is not."""
    bound = [] if file_name else [Bound("flow", "to", "flow > to")]
    letter = Letter(
        "aggregator", number, number, b"sealed", 6, "dacs", 1.0, None, [("e", 1.0)], bound, file_name, [f"of {number}"]
    )
    add(tx, [letter])
    (intake,) = tx.execute(select(intakes_table.c.id).where(intakes_table.c.sha256 == number)).scalars()
    tx.execute(update(intakes_table).where(intakes_table.c.id == intake).values(taken_at=received_at))
    mine = messages_table.c.intake_id == intake
    tx.execute(update(messages_table).where(mine).values(received_at=received_at))
    if ended_at is not None:
        values = {"state": DeliveryState.DONE, "ended_at": ended_at}
        tx.execute(update(deliveries_table).where(deliveries_table.c.intake_id == intake).values(values))
        tx.execute(update(parcels_table).values(state=ParcelState.ACKED))


def file(tx: Tx, name: str, ended_at: float | None, renamed: bool = True) -> int:
    """A file of two parcels, one of them tried, and one refused row."""
    arrival = Arrival("event_outcome", name, "", name, "sftp://x/y", 1, 2, 2, 0, 0, None, None, 1.0)
    intake = intakes.add(tx, arrival, {"missing": 1}, [])
    assert intake is not None
    delivery = deliveries.add(tx, intake, 1.0, NewDelivery("flow", "to", relay_lane_of("flow", "to", name),
                                                           DeliveryState.OPEN, 2))  # fmt: skip
    assert delivery is not None
    parcels.add(tx, delivery, name, "to", [Span(0, 0, 1), Span(1, 1, 1)])
    parcel = tx.execute(select(parcels_table.c.id).where(parcels_table.c.delivery_id == delivery)).scalars().first()
    tx.execute(insert(attempts).values(parcel_id=parcel, epoch=1, at=1.0, seconds=0.1, outcome="ACKED"))
    tx.execute(insert(problems).values(intake_id=intake, line=1, field="a", code="missing", text="b"))
    intakes.sight(tx, intake, "sftp://x/y", Fingerprint(name, 1, 1.0, "h"))
    if renamed:
        intakes.renamed(tx, intake, "sftp://x/y", name, f"Sent-{name}")
    tx.execute(update(intakes_table).where(intakes_table.c.id == intake).values(taken_at=LONG_AGO))
    if ended_at is not None:
        done = {"state": DeliveryState.DONE, "ended_at": ended_at}
        tx.execute(update(deliveries_table).where(deliveries_table.c.id == delivery).values(done))
    return delivery


def names(tx: Tx) -> list[str]:
    return list(tx.execute(select(intakes_table.c.sha256).order_by(intakes_table.c.id)).scalars())


def marks(tx: Tx) -> set[str]:
    return set(tx.execute(select(mentions.c.mark)).scalars())


def contents(tx: Tx) -> list[bytes]:
    return [bytes(each) for each in tx.execute(select(messages_table.c.sealed).order_by(messages_table.c.id)).scalars()]


def test_contents_go_once_a_message_was_settled_before(ledger: Ledger) -> None:
    with ledger.write() as tx:
        message(tx, "old", LONG_AGO)
        message(tx, "late", LATELY)
        message(tx, "open", None)
        assert retention.empty_messages(tx, BEFORE) == 1
        assert retention.empty_messages(tx, BEFORE) == 0
        assert contents(tx) == [b"", b"sealed", b"sealed"]
        assert marks(tx) == {"of late", "of open"}


@pytest.mark.parametrize("state", [DeliveryState.OPEN, DeliveryState.HELD, DeliveryState.ASKED])
def test_nothing_goes_of_what_is_not_settled(ledger: Ledger, state: DeliveryState) -> None:
    with ledger.write() as tx:
        message(tx, "a", None)
        file(tx, "b", None)
        tx.execute(update(deliveries_table).values(state=state))
        assert retention.empty_messages(tx, BEFORE) + retention.forget_intakes(tx, BEFORE) == 0


def test_nothing_goes_while_an_answer_is_owed(ledger: Ledger) -> None:
    with ledger.write() as tx:
        message(tx, "a", LONG_AGO)
        (intake,) = tx.execute(select(intakes_table.c.id)).scalars()
        deliveries.add(tx, intake, 1.0, NewDelivery("flow", "answer", "flow > answer", DeliveryState.OPEN, 1))
        assert retention.empty_messages(tx, BEFORE) + retention.forget_intakes(tx, BEFORE) == 0


def test_a_message_about_a_file_stays_as_long_as_the_file_needs_it(ledger: Ledger) -> None:
    with ledger.write() as tx:
        message(tx, "a", None, file_name="f.csv")
        assert retention.empty_messages(tx, BEFORE) == 0, "nobody has taken the file up"
        delivery = file(tx, "f.csv", None)
        assert retention.empty_messages(tx, BEFORE) == 0, "the file is on its way"
        done = {"state": DeliveryState.DONE, "ended_at": LONG_AGO}
        tx.execute(update(deliveries_table).where(deliveries_table.c.id == delivery).values(done))
        assert retention.empty_messages(tx, BEFORE) == 1


def test_facts_go_with_everything_that_belongs_to_them_and_nothing_else(ledger: Ledger) -> None:
    with ledger.write() as tx:
        file(tx, "old", LONG_AGO)
        message(tx, "older", LONG_AGO)
        before = {table.name: tx.execute(select(func.count()).select_from(table)).scalar_one()
                  for table in metadata.sorted_tables}  # fmt: skip
        file(tx, "late", LATELY)
        file(tx, "still there", LONG_AGO, renamed=False)
        assert retention.forget_intakes(tx, BEFORE) == 2
        assert names(tx) == ["late", "still there"]
        tx.execute(update(deliveries_table).values(ended_at=LONG_AGO))
        tx.execute(update(metadata.tables["sightings"]).values(renamed_at=LONG_AGO))
        assert retention.forget_intakes(tx, BEFORE) == 2
        after = {table.name: tx.execute(select(func.count()).select_from(table)).scalar_one()
                 for table in metadata.sorted_tables}  # fmt: skip
        assert sum(before.values()) > 0
        assert sum(after.values()) == 0


def test_standings_go_when_nothing_speaks_of_them(ledger: Ledger) -> None:
    with ledger.write() as tx:
        message(tx, "n", LONG_AGO)
        (entity,) = tx.execute(select(parcels_table.c.entity)).scalars()
        standings.put(tx, [Standing(name, LONG_AGO) for name in (entity, "n", "nobody")] + [Standing("new", LATELY)])
        assert retention.forget_standings(tx, BEFORE) == 1
        assert set(standings.of(tx, [entity, "n", "nobody", "new"])) == {entity, "n", "new"}


def test_leases_go_of_files_that_are_done_never_those_of_flows(ledger: Ledger) -> None:
    with ledger.write() as tx:
        file(tx, "done", LONG_AGO)
        file(tx, "open", None)
        of_files = (
            relay_lane_of("flow", "to", "done"),
            "take sftp://dacs/out/a.csv",
            relay_lane_of("flow", "to", "open"),
        )
        for lane in (*of_files, "flow > to"):
            assert leases.acquire(tx, lane, "worker")
        assert retention.forget_looks(tx, BEFORE) == 0, "they are held"
        tx.execute(update(leases_table).values(expires_at=clock(tx) - 10))
        now = tx.execute(select(clock(tx))).scalar_one()
        assert retention.forget_looks(tx, now) == 2
        assert set(tx.execute(select(leases_table.c.lane)).scalars()) == {"flow > to > open", "flow > to"}
