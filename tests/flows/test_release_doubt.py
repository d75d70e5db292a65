"""Requests in doubt: a person has the other side asked, sends them again, or says what became of them."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from drbridge.errors import NotAllowed, Unreachable
from drbridge.exchange.desk import Desk
from drbridge.exchange.questions import Question
from drbridge.exchange.release import decide, to_ask, waits
from drbridge.exchange.release_doubt import AGAIN, ASK, HAS_IT
from drbridge.exchange.send import answer, send
from drbridge.ledger.tables import parcels
from drbridge_sandbox.sandbox import Sandbox
from tests.flows.cases import OUTCOME, OUTCOMES, TO_DACS, acts, books, states
from tests.flows.chain import NOW
from tests.flows.test_held import with_endpoint
from tests.flows.test_message_order import FLOW, come, run, status, steps
from tests.flows.test_message_order import states as parts

BOOK = f"{OUTCOME.name} > dacs_event_outcome"


@pytest.fixture
def outcome(desk: Desk, box: Sandbox) -> Desk:
    """DACS took a chunk of outcomes, but its answer was lost, and nobody may send it again unasked."""
    careful = with_endpoint(desk, "dacs_event_outcome", unknown="park")
    box.drop(OUTCOMES, OUTCOME.name, OUTCOME)
    box.far("dacs").fault("drop_after", times=1)
    assert states(careful, TO_DACS) == {OUTCOME.name: "needs_person"}
    return careful


@pytest.fixture
def stages(desk: Desk, box: Sandbox) -> Desk:
    """Of two stages it is not known whether DACS created them: of A it did, of B it did not."""
    careful = with_endpoint(desk, "dacs_program_event", unknown="park", in_flight=1)
    for stage, fault in (("A", "drop_after"), ("B", "drop_before")):
        come(careful, status("S", 0, stage))
        box.far("dacs").fault(fault, times=1, path="programEvent")
        send(careful, FLOW, NOW)
    box.far("dacs").no_faults()
    assert parts(careful) == [("PARKED", "in_doubt")] * 2
    return careful


def the_question(desk: Desk) -> Question:
    (one,) = to_ask(desk, "release", "run", by_hand=True)
    return one


def test_what_cannot_be_asked_for_has_no_such_choice(outcome: Desk) -> None:
    one = the_question(outcome)
    assert (one.title, one.name, one.flow) == ("In doubt", OUTCOME.name, TO_DACS)
    assert "in_doubt" in one.text
    assert ASK not in one.choices
    with pytest.raises(NotAllowed, match="no answer here"):
        decide(outcome, one.key, ASK, "maria", "")


def test_what_the_other_side_has_is_settled_without_a_call(outcome: Desk, box: Sandbox) -> None:
    calls, one = box.far("dacs").calls(), the_question(outcome)
    assert decide(outcome, one.key, HAS_IT, "maria", "called them") == "it counts as accepted"
    assert not waits(outcome, one.key)
    states(outcome, TO_DACS)
    assert states(outcome, "derms_ouai_event_outcome") == {OUTCOME.name: "settled"}
    assert list(box.files(OUTCOMES)) == [f"Sent-{OUTCOME.name}"]
    assert box.far("dacs").calls() == calls
    assert books(outcome)[BOOK].parked == 0
    assert acts(outcome) == [("maria", f"release: {HAS_IT}")]
    (ack,) = box.far("derms").effects_of("ack").values()
    assert str(ack["value"]).startswith("SUCCESS")


def test_what_goes_again_goes_under_its_old_key(outcome: Desk, box: Sandbox) -> None:
    decide(outcome, the_question(outcome).key, AGAIN, "maria", "they have it not")
    assert states(outcome, TO_DACS) == {OUTCOME.name: "settled"}
    keys = {each["idempotency_key"] for each in box.far("dacs").requests() if each["operation"] == "postEventOutcome"}
    assert len(keys) == 1
    assert {each["effects"] for each in box.far("dacs").effects_of("event_outcome").values()} == {1}


def test_what_a_person_refuses_is_told_to_its_sender(outcome: Desk, box: Sandbox) -> None:
    calls = box.far("dacs").calls()
    assert decide(outcome, the_question(outcome).key, "Refuse it", "maria", "") == "it is refused"
    states(outcome, TO_DACS)
    assert box.far("dacs").calls() == calls
    assert books(outcome)[BOOK].acked == 0
    (ack,) = box.far("derms").effects_of("ack").values()
    assert str(ack["value"]).startswith("FAILURE")


def test_the_other_side_is_asked_and_nothing_is_sent(stages: Desk, box: Sandbox) -> None:
    of_a, of_b = to_ask(stages, "release", "run", by_hand=False)
    created = box.far("dacs").calls("createProgramEvent")
    assert decide(stages, of_a.key, ASK, "maria", "").startswith("the other side has 1 of 1")
    assert decide(stages, of_b.key, ASK, "maria", "").startswith("the other side has 0 of 1")
    assert box.far("dacs").calls("createProgramEvent") == created
    assert parts(stages) == [("ACKED", "asked"), ("PARKED", "in_doubt")]
    assert to_ask(stages, "release", "another run", by_hand=False) == [], "a person is not asked twice by itself"


def test_the_next_step_goes_once_the_one_before_it_is_known_to_be_there(stages: Desk, box: Sandbox) -> None:
    come(stages, status("P", 1, "A"))
    run(stages)
    assert steps(box, "A") == ["create"]
    of_a, _ = to_ask(stages, "release", "run", by_hand=False)
    decide(stages, of_a.key, ASK, "maria", "")
    run(stages)
    assert steps(box, "A") == ["create", "X1IP"]


def test_an_other_side_that_does_not_answer_changes_nothing(stages: Desk, box: Sandbox) -> None:
    of_a, _ = to_ask(stages, "release", "run", by_hand=False)
    box.far("dacs").down()
    try:
        with pytest.raises(Unreachable, match="does not answer"):
            decide(stages, of_a.key, ASK, "maria", "")
    finally:
        box.far("dacs").up()
    assert waits(stages, of_a.key)
    assert acts(stages) == []


@pytest.mark.parametrize(("choice", "end"), [(HAS_IT, "ACKED"), ("Refuse it", "REJECTED")])
def test_a_stage_scheduled_again_with_other_times_is_ended_by_a_person(
    desk: Desk, box: Sandbox, choice: str, end: str
) -> None:
    come(desk, status("S", 0))
    run(desk)
    come(desk, status("S", 1, endDateTime="2026-07-14T22:00:00Z"))
    run(desk)
    decide(desk, the_question(desk).key, choice, "maria", "changed by hand in DACS")
    answer(desk, FLOW, NOW)
    assert [state for state, _ in parts(desk)] == ["ACKED", end]
    assert steps(box) == ["create"]
    with desk.ledger.read() as tx:
        assert "PARKED" not in tx.execute(select(parcels.c.state)).scalars().all()
