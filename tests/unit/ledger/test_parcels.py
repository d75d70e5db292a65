"""Parcels: marked before they are sent, settled once, by their worker only; the book always balances."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, select, update

from drbridge.contracts import Problem
from drbridge.ledger import deliveries, intakes, leases, parcels, queue, tables
from drbridge.ledger.database import Ledger, Tx, clock
from drbridge.ledger.deliveries import NewDelivery, lane_of
from drbridge.ledger.intakes import Arrival
from drbridge.ledger.leases import Lease
from drbridge.ledger.parcels import Claim, Outcome, Settled, Span
from drbridge.ledger.states import DeliveryState, ParcelState

LANE = lane_of("flow", "there")


def arrive(tx: Tx, sha: str = "a" * 64, rows: int = 30, business_at: float = 1_000.0, refused: int = 0) -> int:
    arrival = Arrival(
        "device_score", sha, "", f"{sha[:4]}.csv", "sftp://x/y", 100, rows, rows - refused, refused, 0, None, None,
        business_at,
    )  # fmt: skip
    problems = [Problem(line=line, field="f", code="missing", text="is missing") for line in range(refused)]
    intake = intakes.add(tx, arrival, {"missing": refused} if refused else {}, problems)
    assert intake is not None
    new = NewDelivery("flow", "there", LANE, DeliveryState.OPEN, rows, rejected_rows=refused)
    delivery = deliveries.add(tx, intake, business_at, new)
    assert delivery is not None
    accepted = rows - refused
    spans = [Span(first, min(first + 9, accepted - 1), min(10, accepted - first)) for first in range(0, accepted, 10)]
    parcels.add(tx, delivery, sha, "there", spans)
    return delivery


def hold(tx: Tx, holder: str = "worker", seconds: float = 90, share: int = 0) -> Lease:
    lease = leases.acquire(tx, LANE, holder, seconds, share)
    assert lease is not None
    return lease


def come_of(claim: Claim, state: ParcelState, **more: Any) -> Settled:
    return Settled(claim, Outcome(state, **more), time.time(), 0.1)


def test_the_same_bytes_are_one_intake(ledger: Ledger) -> None:
    with ledger.write() as tx:
        arrive(tx)
        twin = Arrival("device_score", "a" * 64, "", "other.csv", "sftp://x/y", 1, 1, 1, 0, 0, None, None, 0.0)
        assert intakes.add(tx, twin, {}, []) is None


def test_a_claimed_parcel_is_not_given_twice(ledger: Ledger) -> None:
    with ledger.write() as tx:
        delivery = arrive(tx)
        lease = hold(tx)
        assert len(queue.claim(tx, lease, delivery, 2)) == 2
        assert len(queue.claim(tx, lease, delivery, 9)) == 1
        assert queue.claim(tx, lease, delivery, 9) == []


def test_what_a_lost_worker_had_under_way_is_in_doubt_and_goes_first(ledger: Ledger) -> None:
    with ledger.write() as tx:
        delivery = arrive(tx)
        lost = hold(tx, "lost", seconds=0.01)
        under_way = queue.claim(tx, lost, delivery, 1)
    time.sleep(0.05)
    with ledger.write() as tx:
        lease = hold(tx, "next")
        assert parcels.doubt_older_epochs(tx, lease) == 1
        again = queue.claim(tx, lease, delivery, 3)
    assert again[0].id == under_way[0].id
    assert again[0].in_doubt
    assert again[0].key == under_way[0].key
    assert again[0].tries == 2


def test_a_fenced_worker_settles_nothing(ledger: Ledger) -> None:
    with ledger.write() as tx:
        delivery = arrive(tx)
        late = hold(tx, "late", seconds=0.01)
        claim = queue.claim(tx, late, delivery, 1)[0]
    time.sleep(0.05)
    with ledger.write() as tx:
        present = hold(tx, "present")
        parcels.doubt_older_epochs(tx, present)
        queue.claim(tx, present, delivery, 1)
        assert parcels.settle(tx, late, [come_of(claim, ParcelState.REJECTED)]) == []
        assert parcels.settle(tx, present, [come_of(claim, ParcelState.ACKED)]) != []
        assert parcels.of_delivery(tx, delivery)[0].state == ParcelState.ACKED


def in_two_shares(tx: Tx) -> int:
    """A delivery of three parcels of which the last is a share of its own."""
    delivery = arrive(tx)
    table = tables.parcels
    tx.execute(update(table).where(table.c.delivery_id == delivery, table.c.first_row == 20).values(share=1))
    return delivery


def test_sender_of_a_share_is_given_its_parcels_only(ledger: Ledger) -> None:
    with ledger.write() as tx:
        delivery = in_two_shares(tx)
        one, other = hold(tx, "one"), hold(tx, "other", share=1)
        assert [each.first_row for each in queue.claim(tx, other, delivery, 9)] == [20]
        assert [each.first_row for each in queue.claim(tx, one, delivery, 9)] == [0, 10]
        assert queue.wait_of(tx, one, delivery) is None
        assert queue.shares_to_move(tx, delivery) == [0, 1]


@pytest.mark.parametrize("parks", [False, True])
def test_new_holder_of_a_share_leaves_alone_what_others_have_under_way(ledger: Ledger, parks: bool) -> None:
    with ledger.write() as tx:
        delivery = in_two_shares(tx)
        one, lost = hold(tx, "one"), hold(tx, "lost", share=1)
        queue.claim(tx, one, delivery, 1)
        queue.claim(tx, lost, delivery, 1)
        leases.release(tx, lost)
        leases.release(tx, hold(tx, "passing by", share=1))
        present = hold(tx, "present", share=1)
        assert parcels.doubt_older_epochs(tx, present) == 1
        found = [ParcelState.IN_FLIGHT, ParcelState.PENDING, ParcelState.UNKNOWN]
        assert [row.state for row in parcels.of_delivery(tx, delivery)] == found
        if parks:
            tx.execute(update(tables.parcels).where(tables.parcels.c.share == 0).values(state=ParcelState.UNKNOWN))
            assert parcels.park_doubtful(tx, present) == 1


def test_words_that_no_database_keeps_are_cleaned_before_they_are_written(ledger: Ledger) -> None:
    with ledger.write() as tx:
        delivery = arrive(tx, rows=10)
        lease = hold(tx)
        claim = queue.claim(tx, lease, delivery, 1)[0]
        refusal = come_of(claim, ParcelState.REJECTED, code="c" * 90, text="no \0such\ud83d device" + "!" * 900)
        assert parcels.settle(tx, lease, [refusal]) != []
    with ledger.read() as tx:
        row = parcels.of_delivery(tx, delivery)[0]
    assert row.text.startswith("no such? device!")
    assert (len(row.text), row.code) == (500, "c" * 60)


def test_the_database_knows_when_a_parcel_was_last_tried(ledger: Ledger) -> None:
    with ledger.write() as tx:
        delivery = arrive(tx, rows=10)
        lease = hold(tx)
        claim = queue.claim(tx, lease, delivery, 1)[0]
        assert parcels.tried_at(tx, claim.id) is None
        assert claim.at == pytest.approx(tx.execute(select(clock(tx))).scalar_one(), abs=3)
        parcels.settle(tx, lease, [Settled(claim, Outcome(ParcelState.UNKNOWN), claim.at, 0.1)])
        assert parcels.tried_at(tx, claim.id) == claim.at


def test_a_delivery_ends_with_its_last_parcel(ledger: Ledger) -> None:
    with ledger.write() as tx:
        delivery = arrive(tx)
        lease = hold(tx)
        first, *others = queue.claim(tx, lease, delivery, 9)
        parcels.settle(tx, lease, [come_of(first, ParcelState.ACKED)])
        assert deliveries.settle(tx, [delivery]) == []
        parcels.settle(tx, lease, [come_of(each, ParcelState.ACKED) for each in others])
        assert deliveries.settle(tx, [delivery]) == [delivery]
        assert deliveries.settle(tx, [delivery]) == []


def test_each_row_is_found_in_the_one_parcel_that_counts_and_one_left_out_in_none(ledger: Ledger) -> None:
    laid = [
        (0, 9, ParcelState.SPLIT), (0, 4, ParcelState.ACKED), (5, 9, ParcelState.SPLIT), (5, 6, ParcelState.REJECTED),
        (7, 9, ParcelState.ACKED), (12, 19, ParcelState.RESENT), (12, 19, ParcelState.PENDING),
        (20, 20, ParcelState.RESENT), (22, 22, ParcelState.ACKED),
    ]  # fmt: skip
    with ledger.write() as tx:
        other, delivery = arrive(tx, sha="b" * 64), arrive(tx)
        tx.execute(delete(tables.parcels).where(tables.parcels.c.delivery_id == delivery))
        for first, last, state in laid:
            parcels.add(tx, delivery, f"{state}", "there", [Span(first, last, last - first + 1)])
            newest = select(func.max(tables.parcels.c.id)).scalar_subquery()
            tx.execute(update(tables.parcels).where(tables.parcels.c.id == newest).values(state=state))
        for row in range(25):
            counted = [each for each in laid if each[0] <= row <= each[1] and each[2] not in ("SPLIT", "RESENT")]
            found = parcels.holding(tx, delivery, row)
            told = [] if found is None else [(found.first_row, found.last_row, found.state)]
            assert told == counted, row
        held = parcels.holding(tx, other, 29)
    assert held is not None
    assert (held.delivery_id, held.first_row) == (other, 20)


def test_the_older_file_goes_first(ledger: Ledger) -> None:
    with ledger.write() as tx:
        newer = arrive(tx, "b" * 64, business_at=2_000.0)
        older = arrive(tx, "c" * 64, business_at=1_000.0)
        lease = hold(tx)
        assert queue.next_delivery(tx, LANE) == older
        claims = queue.claim(tx, lease, older, 9)
        assert queue.next_delivery(tx, LANE) == older, "what is under way still holds the newer file back"
        parcels.settle(tx, lease, [come_of(each, ParcelState.ACKED) for each in claims])
        deliveries.settle(tx, [older])
        assert queue.next_delivery(tx, LANE) == newer


def test_a_parcel_waits_for_its_time(ledger: Ledger) -> None:
    with ledger.write() as tx:
        delivery = arrive(tx, rows=10)
        lease = hold(tx)
        claim = queue.claim(tx, lease, delivery, 1)[0]
        parcels.settle(tx, lease, [come_of(claim, ParcelState.PENDING, wait_seconds=60.0)])
        assert queue.claim(tx, lease, delivery, 1) == []
        assert queue.wait_of(tx, lease, delivery) == pytest.approx(60, abs=5)
        parcels.hurry(tx, LANE)
        assert len(queue.claim(tx, lease, delivery, 1)) == 1


def test_a_key_changes_with_the_generation_only() -> None:
    span = Span(0, 9, 10)
    keys = {parcels.idempotency_key("sha", "there", span, generation) for generation in (0, 0, 1)}
    assert len(keys) == 2


FINAL = st.sampled_from(
    [ParcelState.ACKED, ParcelState.REJECTED, ParcelState.PARKED, ParcelState.UNKNOWN, ParcelState.PENDING,
     ParcelState.SPLIT, ParcelState.SUPERSEDED]
)  # fmt: skip


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(rows=st.integers(1, 95), share=st.integers(0, 5), outcomes=st.lists(FINAL, min_size=12, max_size=12))
def test_the_book_balances_whatever_comes_of_the_parcels(
    ledger: Ledger, rows: int, share: int, outcomes: list[ParcelState]
) -> None:
    refused = min(share, rows - 1)
    with ledger.write() as tx:
        delivery = arrive(tx, f"{time.time_ns():064d}", rows, refused=refused)
        lease = leases.acquire(tx, LANE, "worker")
        assert lease is not None
        for outcome in outcomes:
            for claim in queue.claim(tx, lease, delivery, 1):
                if outcome is ParcelState.SPLIT and claim.rows > 1:
                    parcels.settle(tx, lease, [come_of(claim, outcome)])
                    middle = claim.first_row + claim.rows // 2
                    parcels.split(
                        tx, claim,
                        [Span(claim.first_row, middle - 1, middle - claim.first_row),
                         Span(middle, claim.last_row, claim.last_row - middle + 1)],
                    )  # fmt: skip
                elif outcome is not ParcelState.SPLIT:
                    parcels.settle(tx, lease, [come_of(claim, outcome)])
            balance = deliveries.balances(tx, [delivery])[delivery]
            assert balance.balances, balance
        leases.release(tx, lease)
