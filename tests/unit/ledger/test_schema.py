"""The ledger's tables: made once however many processes start, and brought to this version with all they hold."""

from __future__ import annotations

from collections.abc import Iterator
from multiprocessing.synchronize import Barrier

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import select, text

from drbridge.ledger import leases, queue
from drbridge.ledger.database import Ledger
from drbridge.ledger.schema import upgrade
from drbridge.ledger.tables import deliveries, metadata, targets
from tests.forks import forked, forks

ROWS_OF_THE_FIRST_VERSION = [
    """INSERT INTO intakes (id, noun, sha256, name_key, name, source, bytes, rows, accepted, rejected, duplicate,
       business_at, taken_at) VALUES (1, 'device_score', 'ab', '', 'a.csv', 'sftp://x/y', 1, 3, 3, 0, 0, 5, 6)""",
    """INSERT INTO deliveries (id, intake_id, flow, destination, lane, state, business_at, rows, rejected_rows,
       duplicate_rows, superseded_rows, flagged_rows, generation, opened_at)
       VALUES (7, 1, 'flow', 'there', 'flow > there', 'OPEN', 5, 3, 0, 0, 0, 0, 2, 6)""",
    """INSERT INTO targets (name, failures, open_until, not_before, last_error)
       VALUES ('derms_rest', 4, 0, 0, 'it did not answer')""",
]

PARCEL_OF_THE_SIXTH_VERSION = """INSERT INTO parcels (id, delivery_id, first_row, last_row, rows, key, generation,
    state, epoch, tries, next_at, order_at) VALUES (3, 7, 0, 2, 3, 'k', 0, 'PENDING', 0, 0, 0, 0)"""


@pytest.fixture
def empty(ledger: Ledger) -> Iterator[Ledger]:
    """A ledger without any table."""
    _drop_all(ledger)
    yield ledger
    _drop_all(ledger)
    upgrade(ledger)


def _drop_all(ledger: Ledger) -> None:
    with ledger.write() as tx:
        metadata.drop_all(tx)
        tx.execute(text("DROP TABLE IF EXISTS alembic_version"))


def _start(url: str, together: Barrier) -> None:
    ledger = Ledger(url)
    together.wait()
    upgrade(ledger)
    ledger.close()


def test_processes_that_start_together_make_the_tables_once(empty: Ledger) -> None:
    together = forks.Barrier(3)
    starting = [forked(_start, empty.url, together) for _ in range(3)]
    for process in starting:
        process.join()
    assert [process.exitcode for process in starting] == [0, 0, 0]


def test_an_upgrade_keeps_what_the_first_version_held(empty: Ledger) -> None:
    upgrade(empty, "0001")
    with empty.write() as tx:
        for row in ROWS_OF_THE_FIRST_VERSION:
            tx.execute(text(row))
    upgrade(empty)
    with empty.read() as tx:
        delivery = tx.execute(select(deliveries)).one()
        target = tx.execute(select(targets)).one()
    assert (delivery.id, delivery.lane, delivery.generation) == (7, "flow > there", 2)
    assert (delivery.version_at, delivery.verdict) == (0.0, "")
    assert (target.name, target.failures, target.succeeded_at) == ("derms_rest", 4, 0.0)


def test_parcels_of_before_the_shares_are_the_first_share(empty: Ledger) -> None:
    upgrade(empty, "0006")
    with empty.write() as tx:
        for row in (*ROWS_OF_THE_FIRST_VERSION, PARCEL_OF_THE_SIXTH_VERSION):
            tx.execute(text(row))
    upgrade(empty)
    with empty.write() as tx:
        lease = leases.acquire(tx, "flow > there", "worker")
        assert lease is not None
        assert queue.shares_to_move(tx, 7) == [0]
        assert [each.id for each in queue.claim(tx, lease, 7, 9)] == [3]


def test_upgraded_tables_are_those_the_code_describes(ledger: Ledger) -> None:
    with ledger.read() as tx:
        assert compare_metadata(MigrationContext.configure(tx, opts={"compare_type": True}), metadata) == []
