"""Leases: one holder at a time, told apart by their epoch."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from sqlalchemy import select, update

from drbridge.adapters.http import DEADLINE_SECONDS
from drbridge.exchange.sender import KEEP_LEASE_EVERY_SECONDS, LEASE_NEEDED_SECONDS
from drbridge.ledger import leases
from drbridge.ledger.database import Ledger
from drbridge.ledger.leases import MOST_SHARES, Fenced
from drbridge.ledger.tables import leases as leases_table
from tests.forks import forked


def test_a_lane_has_one_holder(ledger: Ledger) -> None:
    with ledger.write() as tx:
        assert leases.acquire(tx, "lane", "first") is not None
    with ledger.write() as tx:
        assert leases.acquire(tx, "lane", "second") is None
        assert leases.holder_of(tx, "lane") == "first"


def test_a_released_lane_is_free_and_its_epoch_grows(ledger: Ledger) -> None:
    with ledger.write() as tx:
        first = leases.acquire(tx, "lane", "first")
        assert first is not None
        leases.release(tx, first)
    with ledger.write() as tx:
        second = leases.acquire(tx, "lane", "second")
    assert second is not None
    assert second.epoch > first.epoch


def test_a_worker_that_lost_its_lease_is_fenced(ledger: Ledger) -> None:
    with ledger.write() as tx:
        late = leases.acquire(tx, "lane", "late", seconds=0.01)
    assert late is not None
    time.sleep(0.05)
    with ledger.write() as tx:
        assert leases.acquire(tx, "lane", "present") is not None
    with pytest.raises(Fenced), ledger.write() as tx:
        leases.keep(tx, late)


def test_a_lease_that_ran_out_is_still_ours_while_nobody_took_the_lane(ledger: Ledger) -> None:
    with ledger.write() as tx:
        late = leases.acquire(tx, "lane", "late", seconds=0.01)
    assert late is not None
    time.sleep(0.05)
    with ledger.write() as tx:
        assert leases.keep(tx, late).seconds_left > 80
    with ledger.write() as tx:
        assert leases.acquire(tx, "lane", "other") is None


def test_a_late_worker_cannot_release_the_lane_of_the_present_one(ledger: Ledger) -> None:
    with ledger.write() as tx:
        late = leases.acquire(tx, "lane", "late", seconds=0.01)
    time.sleep(0.05)
    with ledger.write() as tx:
        leases.acquire(tx, "lane", "present")
        assert late is not None
        leases.release(tx, late)
    with ledger.read() as tx:
        assert leases.holder_of(tx, "lane") == "present"


def test_each_share_of_a_lane_has_a_holder_and_an_epoch_of_its_own(ledger: Ledger) -> None:
    with ledger.write() as tx:
        one, other = leases.acquire(tx, "lane", "one"), leases.acquire(tx, "lane", "other", share=1)
        assert leases.acquire(tx, "lane", "third", share=1) is None
        assert one is not None
        assert other is not None
        leases.release(tx, other)
        again = leases.acquire(tx, "lane", "third", share=1)
        assert again is not None
        assert (again.epoch, again.share) == (other.epoch + 1, 1)
        assert leases.keep(tx, one).epoch == one.epoch
    with pytest.raises(Fenced), ledger.write() as tx:
        leases.keep(tx, other)


def test_lane_is_held_while_any_share_of_it_is_and_not_by_another_lane_of_like_name(ledger: Ledger) -> None:
    with ledger.write() as tx:
        last = leases.acquire(tx, "lane", "one", share=MOST_SHARES - 1)
        leases.acquire(tx, "lane > a file", "another")
        assert last is not None
        assert leases.holder_of(tx, "lane") == "one"
        leases.release(tx, last)
        assert leases.holder_of(tx, "lane") is None


def test_keeping_a_short_lease_makes_it_long_again(ledger: Ledger) -> None:
    with ledger.write() as tx:
        lease = leases.acquire(tx, "lane", "worker", seconds=5)
        assert lease is not None
        kept = leases.keep(tx, lease, seconds=90)
    assert kept.seconds_left > 80


def test_holder_always_has_time_left_for_a_whole_request(ledger: Ledger) -> None:
    with ledger.write() as tx:
        lease = leases.acquire(tx, "lane", "worker", seconds=KEEP_LEASE_EVERY_SECONDS + LEASE_NEEDED_SECONDS - 1)
        assert lease is not None
        kept = leases.keep(tx, lease)
    assert kept.seconds_left >= KEEP_LEASE_EVERY_SECONDS + LEASE_NEEDED_SECONDS
    assert LEASE_NEEDED_SECONDS > DEADLINE_SECONDS


def _count_up(url: str, times: int) -> None:
    ledger = Ledger(url)
    for _ in range(times):
        with ledger.write() as tx:
            row = select(leases_table.c.epoch).where(leases_table.c.lane == "counter").with_for_update()
            value = tx.execute(row).scalar_one()
            tx.execute(update(leases_table).where(leases_table.c.lane == "counter").values(epoch=value + 1))


def test_six_processes_that_read_then_write_lose_no_update(ledger: Ledger, tmp_path: Path) -> None:
    with ledger.write() as tx:
        leases.acquire(tx, "counter", "start")
    workers = [forked(_count_up, ledger.url, 40) for _ in range(6)]
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    with ledger.read() as tx:
        assert tx.execute(select(leases_table.c.epoch).where(leases_table.c.lane == "counter")).scalar() == 241


def test_a_lease_from_before_the_clock_was_set_back_is_over(ledger: Ledger) -> None:
    with ledger.write() as tx:
        leases.acquire(tx, "lane", "a worker that is gone")
        tx.execute(update(leases_table).values(expires_at=leases_table.c.expires_at + 3_600.0))
    with ledger.write() as tx:
        assert leases.acquire(tx, "lane", "the next one") is not None
