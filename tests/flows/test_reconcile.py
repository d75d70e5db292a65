"""Reconciling: what lies elsewhere and what others have come to is compared with the ledger; deletions are told on."""

from __future__ import annotations

import copy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from drbridge.exchange.accept import accept, read
from drbridge.exchange.desk import Desk
from drbridge.exchange.reconcile import Reconciled, reconcile
from drbridge.exchange.seal import opened
from drbridge.exchange.send import answer, send
from drbridge.exchange.work import Work
from drbridge.ledger.tables import deliveries, intakes, messages
from drbridge_sandbox.sandbox import Sandbox
from tests.flows.cases import ENROLLMENT, ENROLLMENT_FLOW, ENROLLMENTS, states
from tests.flows.outsides import OneDown
from tests.unit.contracts.messages import good

STORED = "s3://ouai_objects/ouai/incoming/enrollment"
STAGE, AGGREGATORS = "derms_dacs_event_status", "dacs_derms_aggregators"


def today(desk: Desk) -> Reconciled:
    return reconcile(desk, datetime.now(UTC).date())


def told(desk: Desk) -> list[str]:
    return [f"{each.where}: {each.what}" for each in today(desk).findings]


@pytest.fixture
def laid_down(desk: Desk, box: Sandbox) -> Desk:
    """An enrollment file was relayed to OUAI."""
    box.drop(ENROLLMENTS, ENROLLMENT.name, ENROLLMENT)
    assert states(desk, ENROLLMENT_FLOW) == {ENROLLMENT.name: "settled"}
    return desk


def test_a_day_on_which_all_is_there_has_no_differences(laid_down: Desk) -> None:
    found = today(laid_down)
    assert found.findings == []
    assert [(book.flow, book.deliveries) for book in found.books] == [(ENROLLMENT_FLOW, 1)]
    assert found.asked["ouai_enrollment"] == 1
    assert reconcile(laid_down, found.day - timedelta(days=1)).books == []


def test_an_object_that_somebody_took_away_is_a_difference(laid_down: Desk, box: Sandbox) -> None:
    box.place(STORED).remove(ENROLLMENT.name)
    assert told(laid_down) == [f"ouai_enrollment: {ENROLLMENT.name} is not there any more"]


def test_where_the_owner_takes_files_away_one_that_is_missing_is_none(laid_down: Desk, box: Sandbox) -> None:
    box.place(STORED).remove(ENROLLMENT.name)
    systems = laid_down.systems
    stores = systems.stores | {
        "ouai_enrollment": systems.stores["ouai_enrollment"].model_copy(update={"is_emptied": True})
    }
    assert told(replace(laid_down, systems=systems.model_copy(update={"stores": stores}))) == []


@pytest.mark.parametrize(
    ("content", "what"),
    [(b"short", "has 5 bytes, not the"), (ENROLLMENT.read_bytes().swapcase(), "is not the object that we laid down")],
)
def test_an_object_that_somebody_replaced_is_a_difference(
    laid_down: Desk, box: Sandbox, content: bytes, what: str
) -> None:
    box.drop(STORED, ENROLLMENT.name, content)
    (line,) = told(laid_down)
    assert what in line


def test_rows_that_do_not_add_up_are_a_difference(laid_down: Desk) -> None:
    with laid_down.ledger.write() as tx:
        tx.execute(update(deliveries).values(rows=deliveries.c.rows + 1))
    assert told(laid_down) == [f"{ENROLLMENT_FLOW} > ouai_enrollment: the rows do not add up in deliveries 1"]


def test_a_place_that_cannot_be_reached_keeps_no_other_from_its_turn(laid_down: Desk, box: Sandbox) -> None:
    down = replace(laid_down, outside=OneDown(laid_down.outside, STORED))
    found = today(down)
    assert [each.what for each in found.findings] == [f"could not be asked: {STORED} is down"]
    assert "dacs_program_event" in found.asked


def stage(desk: Desk, **changes: Any) -> None:
    accept(desk, [read("event_status", copy.deepcopy(good("event_status")) | changes, "derms")])
    send(desk, STAGE, Work(by_hand=True))


def test_stages_that_dacs_has_are_no_difference_and_those_it_lost_are(desk: Desk, box: Sandbox) -> None:
    stage(desk)
    found = today(desk)
    assert (found.asked["dacs_program_event"], found.findings) == (1, [])
    dacs = box.far("dacs")
    assert dacs.uproot("program_event", list(dacs.records("program_event"))) == 1
    (line,) = told(desk)
    assert line.startswith("dacs_program_event: has not what it acknowledged of event_status ")


# ---------------------------------------------------------------- aggregators


def plant(box: Sandbox, system: str, *names: str, status: str = "ACTIVE") -> None:
    known = {f"id-{name}": {"externalReferenceId": name, "status": status} for name in names}
    box.far(system).plant("aggregator", known)


def letters(desk: Desk) -> list[Any]:
    with desk.ledger.read() as tx:
        rows = tx.execute(select(intakes.c.noun, messages.c.sealed).join_from(messages, intakes)).all()
    return [opened(desk.seal, row.noun, row.sealed) for row in rows]


def test_an_aggregator_that_dacs_deleted_without_a_word_becomes_a_message_once(desk: Desk, box: Sandbox) -> None:
    plant(box, "derms", "A", "B", "C")
    plant(box, "dacs", "A", "B")
    assert (today(desk).removed, told(desk)) == (["C"], [])
    (letter,) = letters(desk)
    assert (letter.external_reference_id, letter.aggregator_id, letter.status) == ("C", "id-C", "INACTIVE")
    assert today(desk).removed == [], "it is on its way"
    send(desk, AGGREGATORS, Work(by_hand=True))
    assert box.far("derms").records("aggregator")["id-C"]["status"] == "INACTIVE"
    answer(desk, AGGREGATORS, Work(by_hand=True))
    assert box.far("dacs").calls("syncRequest") == 0, "DACS knows nothing of this request"
    assert (today(desk).removed, told(desk)) == ([], [])


def test_an_answer_of_derms_to_our_own_request_goes_nowhere(desk: Desk, box: Sandbox) -> None:
    plant(box, "derms", "A", "B", "C")
    plant(box, "dacs", "A", "B")
    today(desk)
    (letter,) = letters(desk)
    ack = {"ackType": "SUCCESS", "whenISO": "2026-07-14T20:00:00.000Z", "dacsMessageId": letter.number}
    accept(desk, [read("aggregator_ack", ack, "derms")])
    before = box.far("dacs").calls()
    assert send(desk, "derms_dacs_aggregators_ack", Work(by_hand=True)).acked == 1
    assert box.far("dacs").calls() == before


def test_a_list_of_dacs_that_lacks_most_removes_nobody(desk: Desk, box: Sandbox) -> None:
    plant(box, "derms", "A", "B", "C")
    plant(box, "dacs", "A")
    (line,) = told(desk)
    assert "DACS lists none of B, C, which is more than half" in line
    assert letters(desk) == []


def test_aggregators_of_which_derms_thinks_otherwise_are_differences(desk: Desk, box: Sandbox) -> None:
    plant(box, "dacs", "A", "B")
    plant(box, "dacs", "C", status="INACTIVE")
    plant(box, "derms", "A", "C")
    assert told(desk) == [
        "aggregators: DERMS does not count on B",
        "aggregators: DERMS still counts on, though DACS does not, C",
    ]


def test_lists_that_cannot_be_read_are_a_difference(desk: Desk, box: Sandbox) -> None:
    box.far("derms").down()
    try:
        (line,) = told(desk)
    finally:
        box.far("derms").up()
    assert line == "aggregators: could not be compared: derms_rest does not answer"
