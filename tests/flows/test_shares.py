"""Large files that several senders share: each row once, the files in order, a lost sender's share taken over."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select, text, update

from drbridge.adapters.http import HttpTarget
from drbridge.errors import Misconfigured
from drbridge.exchange import cutting, lanes, sender
from drbridge.exchange.desk import Desk
from drbridge.exchange.requests import Requests
from drbridge.exchange.send import lineup_of, send
from drbridge.exchange.take import take
from drbridge.exchange.tally import SendResult
from drbridge.exchange.work import Work
from drbridge.ledger import targets
from drbridge.ledger.database import Ledger
from drbridge.ledger.parcels import Claim
from drbridge.ledger.schema import upgrade
from drbridge.ledger.states import ParcelState
from drbridge.ledger.tables import deliveries, leases, metadata, parcels
from drbridge.ports import Call, Reply
from drbridge.settings import Target
from drbridge_sandbox.sandbox import Sandbox
from tests.faults.sending import changed_once, free_the_lanes, states, take_outcomes
from tests.flows.cases import OLDER_NAME
from tests.flows.chain import NOW
from tests.flows.test_trouble import OUTCOME, OUTCOME_FLOW, OUTCOMES, many, with_endpoint

ENDPOINT = "dacs_event_outcome"
ROWS = 40
CHUNKS = 20


class Killed(BaseException):
    """Stands for SIGKILL: nothing more is written, the lease is not given back."""


@pytest.fixture
def shared(desk: Desk, box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A file of 40 rows travels in 20 chunks and four shares."""
    monkeypatch.setattr(cutting, "ROWS_WORTH_A_SHARE", 10)
    return with_endpoint(desk, ENDPOINT, rows=2, senders=4, in_flight=2)


def named(desk: Desk, worker: str) -> Desk:
    return replace(desk, worker=worker)


def paced(desk: Desk, a_second: float) -> Desk:
    connection = desk.systems.endpoints[ENDPOINT].connection
    pace = {connection: Target(name=connection, calls_per_second=a_second)}
    return replace(desk, systems=desk.systems.model_copy(update={"targets": pace}))


def send_together(*desks: Desk) -> list[SendResult]:
    """So many senders at once."""
    with ThreadPoolExecutor(len(desks)) as pool:
        return list(pool.map(lambda desk: send(desk, OUTCOME_FLOW, NOW), desks))


@contextmanager
def killed_after(turns: int) -> Iterator[None]:
    """A sender dies when it is about to note what came in, after it did so often enough."""
    real, left = sender.Sender._write_outcomes, [turns]

    def write(self: sender.Sender, tx: Any, done: Any) -> None:
        if done and not left[0]:
            raise Killed
        left[0] -= bool(done)
        real(self, tx, done)

    with pytest.MonkeyPatch.context() as patch, suppress(Killed):
        patch.setattr(sender.Sender, "_write_outcomes", write)
        patch.setattr(lanes, "_give_back", lambda *_: None)
        yield
    assert not left[0], "it lived"


def in_state(desk: Desk, state: ParcelState, share: int | None = None) -> int:
    look = select(func.count()).select_from(parcels).where(parcels.c.state == state)
    with desk.ledger.read() as tx:
        return int(tx.execute(look if share is None else look.where(parcels.c.share == share)).scalar_one())


def take_two_files(desk: Desk, box: Sandbox, rows_of_the_newer: int) -> None:
    older = many(OUTCOME, "event_outcome", ROWS)[0].replace(b"SUCCESS", b"CANCELLED")
    box.drop(OUTCOMES, OLDER_NAME, older)
    take(desk, OUTCOME_FLOW, OLDER_NAME)
    take_outcomes(desk, box, rows_of_the_newer)


def of_the_newer(desk: Desk) -> dict[str, int]:
    with desk.ledger.read() as tx:
        newest = select(func.max(deliveries.c.id)).where(deliveries.c.destination == ENDPOINT).scalar_subquery()
        look = select(parcels.c.state, func.count()).where(parcels.c.delivery_id == newest).group_by(parcels.c.state)
        return {str(state): int(count) for state, count in tx.execute(look)}


def test_two_senders_share_a_file_and_each_row_takes_effect_once(shared: Desk, box: Sandbox) -> None:
    rows = take_outcomes(shared, box, ROWS)
    box.far("dacs").fault("slow", milliseconds=60, times=CHUNKS)
    results = send_together(named(shared, "one"), named(shared, "other"))
    assert sum(each.sent for each in results) == CHUNKS
    assert all(each.sent for each in results), "one of them did nothing"
    assert changed_once(box.far("dacs"), "event_outcome") == len(rows)
    assert states(shared) == {"ACKED": CHUNKS}


def test_sender_that_finds_no_share_free_says_who_works_on_them(shared: Desk, box: Sandbox) -> None:
    take_outcomes(shared, box, ROWS)
    with shared.ledger.write() as tx:
        for share in range(4):
            assert lanes.leases.acquire(tx, f"{OUTCOME_FLOW} > {ENDPOINT}", "the others", share=share)
    result = send(shared, OUTCOME_FLOW, Work())
    assert (result.held_by, result.sent, result.open_left) == ("the others", 0, 0)
    assert box.far("dacs").calls() == 0


def test_share_of_a_killed_sender_is_drained_by_another(shared: Desk, box: Sandbox) -> None:
    rows = take_outcomes(shared, box, ROWS)
    with killed_after(1):
        send(named(shared, "lost"), OUTCOME_FLOW, NOW)
    assert in_state(shared, ParcelState.IN_FLIGHT, share=0) > 0
    first = send(named(shared, "next"), OUTCOME_FLOW, Work())
    assert first.held_by == "lost"
    assert in_state(shared, ParcelState.ACKED) >= 15, "the other shares did not wait for it"
    assert in_state(shared, ParcelState.IN_FLIGHT, share=0) > 0, "its lease lasts: nobody touches what it had"
    free_the_lanes(shared)
    assert send(named(shared, "next"), OUTCOME_FLOW, Work()).open_left == 0
    assert states(shared) == {"ACKED": CHUNKS}
    assert changed_once(box.far("dacs"), "event_outcome") == len(rows)


def test_newer_file_waits_while_a_share_of_the_older_is_under_way(shared: Desk, box: Sandbox) -> None:
    take_two_files(shared, box, ROWS)
    with killed_after(1):
        send(named(with_endpoint(shared, ENDPOINT, in_flight=8), "lost"), OUTCOME_FLOW, NOW)
    send(named(shared, "next"), OUTCOME_FLOW, Work())
    assert of_the_newer(shared) == {"PENDING": CHUNKS}
    free_the_lanes(shared)
    send(named(shared, "next"), OUTCOME_FLOW, Work())
    assert states(shared) == {"ACKED": 2 * CHUNKS}


def test_two_senders_do_not_leave_the_next_file_to_each_other(
    shared: Desk, box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One ends the older file while the other, done with its share, still has the lease in which the newer one goes."""
    take_two_files(shared, box, 4)
    real, others = lanes._give_back, [named(shared, "other")]

    def give_back(desk: Desk, lease: Any) -> None:
        if others:
            send(others.pop(), OUTCOME_FLOW, Work())
        real(desk, lease)

    monkeypatch.setattr(lanes, "_give_back", give_back)
    send(named(shared, "one"), OUTCOME_FLOW, Work())
    assert states(shared) == {"ACKED": CHUNKS + 2}


@pytest.mark.parametrize("senders", [1, 8])
def test_file_is_drained_by_fewer_or_more_senders_than_it_was_cut_for(shared: Desk, box: Sandbox, senders: int) -> None:
    rows = take_outcomes(shared, box, ROWS)
    changed = with_endpoint(shared, ENDPOINT, senders=senders)
    assert send(changed, OUTCOME_FLOW, Work()).open_left == 0
    assert changed_once(box.far("dacs"), "event_outcome") == len(rows)


def test_file_that_an_older_version_took_goes_as_one_share(shared: Desk, box: Sandbox) -> None:
    take_outcomes(shared, box, ROWS)
    with shared.ledger.write() as tx:
        tx.execute(update(parcels).values(share=0))
    send_together(named(shared, "one"), named(shared, "other"))
    free_the_lanes(shared)
    send(shared, OUTCOME_FLOW, Work())
    assert states(shared) == {"ACKED": CHUNKS}
    with shared.ledger.read() as tx:
        assert not tx.execute(select(leases.c.lane).where(leases.c.lane.contains(lanes.leases.SHARE_MARK))).all()


def test_halves_of_a_refused_chunk_stay_in_its_share(shared: Desk, box: Sandbox) -> None:
    take_outcomes(shared, box, ROWS)
    box.far("dacs").fault("status", status=400, times=1, after=CHUNKS - 1)
    send(shared, OUTCOME_FLOW, Work())
    with shared.ledger.read() as tx:
        look = select(parcels.c.share, parcels.c.first_row).where(parcels.c.rows > 0)
        assert all(share == first * 4 // ROWS for share, first in tx.execute(look))
    assert in_state(shared, ParcelState.SPLIT) == 1


@pytest.mark.parametrize("policy", ["resend", "park"])
def test_what_a_killed_sender_had_in_hand_is_treated_by_the_policy(desk: Desk, box: Sandbox, policy: str) -> None:
    """Where a person would have to decide, nothing is marked that is not on the wire."""
    desk = with_endpoint(desk, ENDPOINT, rows=1, in_flight=2, unknown=policy)
    rows = take_outcomes(desk, box, ROWS)
    with killed_after(4):
        send(named(desk, "lost"), OUTCOME_FLOW, NOW)
    free_the_lanes(desk)
    send(named(desk, "next"), OUTCOME_FLOW, Work())
    parked = in_state(desk, ParcelState.PARKED)
    assert 0 < parked <= 2 if policy == "park" else parked == 0
    assert in_state(desk, ParcelState.ACKED) == len(rows) - parked
    assert changed_once(box.far("dacs"), "event_outcome") >= len(rows) - parked


def test_what_is_in_hand_and_never_went_is_given_back_when_the_sender_stops(desk: Desk, box: Sandbox) -> None:
    desk = with_endpoint(desk, ENDPOINT, rows=1, in_flight=2)
    take_outcomes(desk, box, ROWS)
    box.far("dacs").fault("status", status=403, after=9, times=1_000)
    with pytest.raises(Misconfigured):
        send(desk, OUTCOME_FLOW, Work())
    assert box.far("dacs").calls() <= 9 + 2 * 2, "what was on the wire, and what was being claimed at that moment"
    assert states(desk) == {"ACKED": 9, "PENDING": ROWS - 9}


def test_chunks_are_built_while_those_before_are_on_the_wire_and_no_more_go_at_once_than_agreed(
    desk: Desk, box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = with_endpoint(desk, ENDPOINT, rows=2, in_flight=2)
    take_outcomes(desk, box, ROWS)
    box.far("dacs").fault("slow", milliseconds=100, times=CHUNKS)
    call, build = HttpTarget.call, Requests.build
    on_wire, most, beside = 0, 0, list[int]()

    async def calls(target: HttpTarget, given: Call) -> Reply:
        nonlocal on_wire, most
        on_wire += 1
        most = max(most, on_wire)
        try:
            return await call(target, given)
        finally:
            on_wire -= 1

    def builds(requests: Requests, claim: Claim) -> Call:
        beside.append(on_wire)
        return build(requests, claim)

    monkeypatch.setattr(HttpTarget, "call", calls)
    monkeypatch.setattr(Requests, "build", builds)
    send(desk, OUTCOME_FLOW, NOW)
    assert states(desk) == {"ACKED": CHUNKS}
    assert (len(beside), most) == (CHUNKS, 2)
    assert 2 in beside


def test_nothing_that_has_a_permit_waits_in_hand(desk: Desk) -> None:
    flow, endpoint = desk.systems.flow(OUTCOME_FLOW), desk.systems.endpoints[ENDPOINT]
    assert lineup_of(desk, flow, endpoint, NOW).ahead > 0
    assert lineup_of(paced(desk, 5.0), flow, endpoint, NOW).ahead == 0


def test_two_senders_of_a_paced_target_never_wait_for_each_other_on_postgresql(
    shared: Desk, box: Sandbox, postgres_url: str
) -> None:
    ledger = Ledger(postgres_url)
    upgrade(ledger)
    on_postgresql = paced(replace(with_endpoint(shared, ENDPOINT, rows=1, in_flight=8), ledger=ledger), 400.0)
    try:
        rows = take_outcomes(on_postgresql, box, 5 * ROWS)
        results = send_together(named(on_postgresql, "one"), named(on_postgresql, "other"))
        assert sum(each.sent for each in results) == len(rows)
        assert states(on_postgresql) == {"ACKED": len(rows)}
    finally:
        with ledger.write() as tx:
            names = ", ".join(table.name for table in metadata.sorted_tables)
            tx.execute(text(f"TRUNCATE {names} RESTART IDENTITY CASCADE"))
        ledger.close()
    assert changed_once(box.far("dacs"), "event_outcome") == len(rows)


def test_senders_of_one_delivery_lock_it_before_its_target(
    shared: Desk, box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a pace the target's row is locked after: in the other order two of them would wait for each other."""
    take_outcomes(shared, box, 2)
    locked: list[str] = []

    def noted(name: str, real: Any) -> Any:
        return lambda *given: (locked.append(name), real(*given))[1]

    monkeypatch.setattr(sender, "settle", noted("delivery", sender.settle))
    monkeypatch.setattr(targets, "succeeded", noted("target", targets.succeeded))
    send(shared, OUTCOME_FLOW, Work())
    assert locked[locked.index("target") - 1] == "delivery"
