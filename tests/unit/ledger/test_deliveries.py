"""Deliveries: two workers that change one at the same time, one after the other; the older of two goes first."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from sqlalchemy import update

from drbridge.ledger import deliveries, parcels, queue
from drbridge.ledger.database import Ledger, Tx
from drbridge.ledger.parcels import Span
from drbridge.ledger.states import DeliveryState, ParcelState
from drbridge.ledger.tables import deliveries as table
from drbridge.ledger.tables import parcels as parcels_table
from tests.unit.ledger.test_parcels import LANE, arrive


def all_refused(ledger: Ledger) -> int:
    with ledger.write() as tx:
        delivery = arrive(tx)
        tx.execute(update(parcels_table).values(state=ParcelState.REJECTED))
    return delivery


def send_again(tx: Tx, delivery: int) -> None:
    deliveries.locked(tx, delivery)
    old = parcels.of_delivery(tx, delivery, ParcelState.REJECTED)
    if old:
        generation = deliveries.reopen(tx, delivery)
        parcels.retire(tx, [row.id for row in old])
        spans = [Span(row.first_row, row.last_row, row.rows) for row in old]
        parcels.add(tx, delivery, "a" * 64, "there", spans, generation)


def meanwhile(ledger: Ledger, first: Callable[[Tx], object], second: Callable[[Tx], object]) -> None:
    """Begins `second` in another transaction while `first` is done and not yet committed."""

    def other() -> None:
        with ledger.write() as tx:
            second(tx)

    with ledger.write() as tx:
        first(tx)
        thread = threading.Thread(target=other)
        thread.start()
        time.sleep(0.3)
    thread.join()


def test_a_delivery_sent_again_while_it_is_settled_stays_open(ledger: Ledger) -> None:
    delivery = all_refused(ledger)
    meanwhile(ledger, lambda tx: send_again(tx, delivery), lambda tx: deliveries.settle(tx, [delivery]))
    with ledger.read() as tx:
        assert deliveries.by_id(tx, delivery).state == DeliveryState.OPEN
        assert deliveries.balances(tx, [delivery])[delivery].open == 30


def test_two_who_send_a_delivery_again_at_once_send_it_once(ledger: Ledger) -> None:
    delivery = all_refused(ledger)
    meanwhile(ledger, lambda tx: send_again(tx, delivery), lambda tx: send_again(tx, delivery))
    with ledger.read() as tx:
        book = deliveries.balances(tx, [delivery])[delivery]
    assert (book.open, book.balances) == (30, True)


def test_of_two_deliveries_of_a_day_the_older_version_goes_first(ledger: Ledger) -> None:
    with ledger.write() as tx:
        newer, older = arrive(tx, "b" * 64), arrive(tx, "c" * 64)
        tx.execute(update(table).where(table.c.id == newer).values(version_at=9.0))
        tx.execute(update(table).where(table.c.id == older).values(version_at=3.0))
        assert queue.next_delivery(tx, LANE) == older
