"""The books added up anew: whatever was changed behind the ledger's back is found."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Table, delete, update

from drbridge.exchange.desk import Desk
from drbridge.exchange.recount import recount
from drbridge.ledger.tables import attempts, deliveries, parcels
from drbridge_sandbox.sandbox import Sandbox
from tests.flows.cases import OUTCOME, OUTCOMES, TO_DACS, TO_OUAI, states

BUCKET = "s3://ouai_objects/ouai/incoming/outcome"


@pytest.fixture
def delivered(desk: Desk, box: Sandbox) -> Desk:
    """An outcome file with a duplicate went to DACS and to OUAI."""
    last = OUTCOME.read_bytes().splitlines(keepends=True)[-1]
    box.drop(OUTCOMES, OUTCOME.name, OUTCOME.read_bytes() + last)
    assert states(desk, TO_DACS) == {OUTCOME.name: "settled"}
    assert states(desk, TO_OUAI) == {OUTCOME.name: "settled"}
    return desk


def change(desk: Desk, table: Table, **values: object) -> None:
    with desk.ledger.write() as tx:
        tx.execute(update(table).values(**values))


def told(desk: Desk) -> str:
    return "\n".join(f"{each.where}: {each.what}" for each in recount(desk)[1])


def test_what_nobody_touched_agrees(delivered: Desk) -> None:
    assert recount(delivered) == (3, [])


def test_a_parcel_that_was_never_acknowledged_is_found(delivered: Desk) -> None:
    with delivered.ledger.write() as tx:
        tx.execute(delete(attempts))
    assert "are ACKED, their last try says PENDING" in told(delivered)


def test_a_parcel_that_was_acknowledged_and_says_otherwise_is_found(delivered: Desk) -> None:
    change(delivered, parcels, state="REJECTED")
    assert "are REJECTED, their last try says ACKED" in told(delivered)


def test_rows_that_are_in_no_parcel_are_found(delivered: Desk) -> None:
    with delivered.ledger.write() as tx:
        tx.execute(update(parcels).where(parcels.c.last_row > 0).values(last_row=parcels.c.last_row - 2))
    assert "superseded 1, not 0" in told(delivered)


def test_a_count_that_was_changed_is_found(delivered: Desk) -> None:
    change(delivered, deliveries, duplicate_rows=0)
    assert "duplicate 1, not 0" in told(delivered)


def test_an_object_that_went_away_is_found(delivered: Desk, box: Sandbox) -> None:
    box.place(BUCKET).remove(OUTCOME.name)
    assert f"{OUTCOME.name} is not there any more" in told(delivered)


def test_a_staged_row_that_went_away_is_found(delivered: Desk) -> None:
    (listed,) = Path(delivered.staging.root).rglob("excluded.parquet")
    listed.write_bytes(next(listed.parent.glob("0*.parquet")).read_bytes())
    assert "acked" in told(delivered)
