"""Notes of uploads: what was begun and has not ended, and since when."""

from __future__ import annotations

from sqlalchemy import update

from drbridge.ledger import uploads
from drbridge.ledger.database import Ledger
from drbridge.ledger.tables import uploads as notes

LATER = 9e9


def test_a_second_try_learns_of_the_first_until_it_ended(ledger: Ledger) -> None:
    with ledger.write() as tx:
        assert not uploads.begin(tx, "s3://a", "1.csv")
        assert uploads.begin(tx, "s3://a", "1.csv")
        assert not uploads.begin(tx, "s3://a", "2.csv")
        assert not uploads.begin(tx, "s3://b", "1.csv")
        assert uploads.begun_before(tx, LATER) == {"s3://a": ["1.csv", "2.csv"], "s3://b": ["1.csv"]}
        uploads.end(tx, "s3://a", "1.csv")
        assert not uploads.begin(tx, "s3://a", "1.csv")


def test_a_new_try_makes_an_old_note_young(ledger: Ledger) -> None:
    with ledger.write() as tx:
        uploads.begin(tx, "s3://a", "1.csv")
        tx.execute(update(notes).values(begun_at=1.0))
        assert uploads.begun_before(tx, 2.0) == {"s3://a": ["1.csv"]}
        uploads.begin(tx, "s3://a", "1.csv")
        assert uploads.begun_before(tx, 2.0) == {}


def test_a_try_that_began_while_we_cleared_away_keeps_its_note(ledger: Ledger) -> None:
    with ledger.write() as tx:
        for name in ("1.csv", "2.csv"):
            uploads.begin(tx, "s3://a", name)
        tx.execute(update(notes).values(begun_at=1.0))
        uploads.begin(tx, "s3://a", "1.csv")
        uploads.forget(tx, "s3://a", ["1.csv", "2.csv"], 2.0)
        assert uploads.begun_before(tx, LATER) == {"s3://a": ["1.csv"]}
