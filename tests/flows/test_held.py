"""Deliveries and answers that wait for a person: they go on when somebody says so, and overtake nothing newer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from drbridge.errors import Interrupted
from drbridge.exchange import requests as building
from drbridge.exchange import resend as resending
from drbridge.exchange.desk import Desk
from drbridge.exchange.resend import reopen
from drbridge.exchange.send import send
from drbridge.exchange.take import take
from drbridge.exchange.work import Work
from drbridge.ledger.states import DeliveryState, ParcelState
from drbridge.ledger.tables import attempts, deliveries, parcels
from drbridge_sandbox.sandbox import Sandbox
from tests.flows.cases import (
    OLDER_NAME,
    OUTCOME,
    OUTCOMES,
    SCORE,
    SCORE_FLOW,
    SCORES,
    TO_DACS,
    asked,
    books,
    states,
)  # fmt: skip
from tests.flows.more_rows import many_rows

HEADER, *ROWS = OUTCOME.read_bytes().splitlines(keepends=True)
TWELVE = b"".join(many_rows("event_outcome", ROWS, 12))


def with_endpoint(desk: Desk, name: str, **changes: Any) -> Desk:
    endpoints = desk.systems.endpoints | {name: desk.systems.endpoints[name].model_copy(update=changes)}
    return replace(desk, systems=desk.systems.model_copy(update={"endpoints": endpoints}))


def state_of(desk: Desk, destination: str) -> str:
    with desk.ledger.read() as tx:
        return str(tx.execute(select(deliveries.c.state).where(deliveries.c.destination == destination)).scalar_one())


@pytest.fixture
def one_by_one(desk: Desk) -> Desk:
    """Chunks of one row: three refused ones hold a file."""
    return with_endpoint(desk, "dacs_event_outcome", rows=1, in_flight=1)


def refuse_all(box: Sandbox, desk: Desk) -> None:
    box.far("dacs").fault("status", status=400)
    states(desk, TO_DACS)
    box.far("dacs").no_faults()


def test_a_held_file_that_goes_on_does_not_go_over_the_newer_that_passed_it(one_by_one: Desk, box: Sandbox) -> None:
    box.drop(OUTCOMES, OLDER_NAME, HEADER + TWELVE.replace(b"SUCCESS", b"CANCELLED"))
    refuse_all(box, one_by_one)
    box.drop(OUTCOMES, OUTCOME.name, HEADER + TWELVE)
    states(one_by_one, TO_DACS)
    before = box.far("dacs").effects_of("event_outcome")
    states(one_by_one, TO_DACS, asked(OLDER_NAME, "failed"))
    assert box.far("dacs").effects_of("event_outcome") == before
    assert books(one_by_one)[f"{OLDER_NAME} > dacs_event_outcome"].superseded == 12


def test_a_dry_run_shows_all_that_a_held_file_would_send(one_by_one: Desk, box: Sandbox) -> None:
    box.drop(OUTCOMES, OUTCOME.name, HEADER + TWELVE)
    refuse_all(box, one_by_one)
    work = asked(OUTCOME.name, "failed")
    shown = send(one_by_one, TO_DACS, work.model_copy(update={"dry_run": True})).calls
    before = box.far("dacs").calls()
    states(one_by_one, TO_DACS, work)
    assert (len(shown), box.far("dacs").calls() - before) == (12, 12)


def test_two_who_have_a_held_file_go_on_leave_it_done(
    desk: Desk, box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasty = with_endpoint(desk, "derms_device_score", max_tries=1)
    names_back, others = resending.names_back, [asked(SCORE.name, "failed", 1)]

    def while_another_run_does_it(*args: Any) -> set[int]:
        found = names_back(*args)
        if others:
            states(hasty, SCORE_FLOW, others.pop())
        return found

    box.drop(SCORES, SCORE.name, SCORE)
    with monkeypatch.context() as patch:
        patch.setattr(building.Requests, "build", _cannot)
        states(hasty, SCORE_FLOW)
    assert state_of(desk, "derms_device_score") == DeliveryState.HELD
    with monkeypatch.context() as patch:
        patch.setattr(resending, "names_back", while_another_run_does_it)
        reopen(hasty, SCORE_FLOW, asked(SCORE.name, "failed", 2))
    assert state_of(desk, "derms_device_score") == DeliveryState.DONE


def test_a_held_answer_goes_on_when_a_person_says_so(desk: Desk, box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    hasty = with_endpoint(desk, "derms_acks", max_tries=1)
    box.drop(OUTCOMES, OUTCOME.name, OUTCOME)
    with monkeypatch.context() as patch:
        patch.setattr(building, "acknowledgement", _cannot)
        states(hasty, TO_DACS)
    assert state_of(desk, "derms_acks") == DeliveryState.HELD
    states(hasty, TO_DACS, asked(OUTCOME.name, "failed"))
    assert len(box.far("derms").effects_of("ack")) == 1


def test_one_hiccup_after_an_outage_holds_nothing(desk: Desk, box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    def hiccup(*_: object) -> None:
        raise Interrupted("the disk is away for a moment")

    box.drop(SCORES, SCORE.name, SCORE)
    take(desk, SCORE_FLOW, SCORE.name)
    with desk.ledger.write() as tx:
        tx.execute(update(parcels).values(tries=20, code="unreachable"))
    with monkeypatch.context() as patch:
        patch.setattr(building.Requests, "build", hiccup)
        states(desk, SCORE_FLOW, Work())
    assert state_of(desk, "derms_device_score") == DeliveryState.OPEN


def test_one_failure_after_an_outage_parks_nothing(one_by_one: Desk, box: Sandbox) -> None:
    box.drop(OUTCOMES, OUTCOME.name, HEADER + TWELVE)
    take(one_by_one, TO_DACS, OUTCOME.name)
    with one_by_one.ledger.write() as tx:
        first, second = tx.execute(select(parcels.c.id).order_by(parcels.c.id).limit(2)).scalars()
        tried = {"parcel_id": second, "epoch": 0, "at": 1.0, "seconds": 0.0, "outcome": ParcelState.UNKNOWN}
        tx.execute(insert(attempts), [tried])
        tx.execute(update(parcels).where(parcels.c.id == second).values(tries=20))
        tx.execute(update(parcels).where(parcels.c.id != first).values(next_at=9e9))
    send(one_by_one, TO_DACS, Work())
    box.far("dacs").fault("status", status=502, times=1)
    with one_by_one.ledger.write() as tx:
        tx.execute(update(parcels).where(parcels.c.id == second).values(next_at=0.0))
    send(one_by_one, TO_DACS, Work())
    assert books(one_by_one)[f"{OUTCOME.name} > dacs_event_outcome"].parked == 0


def _cannot(*_: object) -> None:
    raise KeyError("no such column")
