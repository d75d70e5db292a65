"""Refused files: a person lets the good rows go, has the corrected file taken, or leaves it refused."""

from __future__ import annotations

import pytest

from drbridge.errors import NotAllowed
from drbridge.exchange.desk import Desk
from drbridge.exchange.questions import Question
from drbridge.exchange.release import decide, to_ask, waits
from drbridge.exchange.release_refused import APPROVE, CORRECTED
from drbridge_sandbox.sandbox import Sandbox
from tests.flows.cases import (
    ENROLLMENT,
    ENROLLMENT_FLOW,
    ENROLLMENTS,
    OUTCOME,
    OUTCOMES,
    OVER_THRESHOLD,
    TO_DACS,
    TO_OUAI,
    acts,
    books,
    states,
)  # fmt: skip

TO_BUCKET = "s3://ouai_objects/ouai/incoming/outcome"


@pytest.fixture
def refused(desk: Desk, box: Sandbox) -> Desk:
    """One row too many of an outcome file is bad: it ended as `Error-`."""
    box.drop(OUTCOMES, OUTCOME.name, OVER_THRESHOLD)
    assert states(desk, TO_DACS) == {OUTCOME.name: "refused"}
    states(desk, TO_OUAI)
    assert list(box.files(OUTCOMES)) == [f"Error-{OUTCOME.name}"]
    return desk


def the_question(desk: Desk) -> Question:
    (one,) = to_ask(desk, "release", "run", by_hand=True)
    return one


def test_a_refused_file_is_one_question_with_counts_and_codes(refused: Desk) -> None:
    (one,) = to_ask(refused, "release", "run 1", by_hand=False)
    assert (one.title, one.name) == ("Refused", OUTCOME.name)
    assert "rows are refused" in one.text
    assert "field_count 1 times" in one.text
    assert to_ask(refused, "release", "run 2", by_hand=False) == []


def test_good_rows_of_an_approved_file_go_everywhere(refused: Desk, box: Sandbox) -> None:
    told = box.far("derms").effects_of("ack")
    assert [str(each["value"])[:7] for each in told.values()] == ["FAILURE"]
    assert decide(refused, the_question(refused).key, APPROVE, "maria", "one bad line only") == "its good rows go"
    states(refused, TO_DACS)
    states(refused, TO_OUAI)
    good = len(OUTCOME.read_bytes().splitlines()) - 1
    to_dacs = books(refused)[f"{OUTCOME.name} > dacs_event_outcome"]
    assert (to_dacs.acked, to_dacs.rejected) == (good, 1)
    assert b"".join(box.place(TO_BUCKET).read(OUTCOME.name)) == OVER_THRESHOLD
    assert set(box.files(OUTCOMES)) == {f"Sent-{OUTCOME.name}"}
    assert acts(refused) == [("maria", f"release: {APPROVE}")]
    (ack,) = box.far("derms").effects_of("ack").values()
    assert str(ack["value"]).startswith("ERROR")


def test_an_approval_is_for_these_bytes_only(refused: Desk, box: Sandbox) -> None:
    decide(refused, the_question(refused).key, APPROVE, "maria", "")
    states(refused, TO_DACS)
    other = OUTCOME.name.replace("4711", "4712")
    box.drop(OUTCOMES, other, OVER_THRESHOLD + b"z\n")
    assert states(refused, TO_DACS)[other] == "refused"


def test_a_file_that_cannot_be_read_cannot_be_approved(desk: Desk, box: Sandbox) -> None:
    box.drop(ENROLLMENTS, ENROLLMENT.name, b"no,such,header\n1,2,3\n")
    states(desk, ENROLLMENT_FLOW)
    assert APPROVE not in the_question(desk).choices


def test_a_corrected_file_that_is_not_there_cannot_be_taken(refused: Desk) -> None:
    one = the_question(refused)
    with pytest.raises(NotAllowed, match="No corrected file"):
        decide(refused, one.key, CORRECTED, "maria", "")
    assert waits(refused, one.key)
    assert acts(refused) == []


def test_a_corrected_file_is_taken_and_asked_about_no_more(refused: Desk, box: Sandbox) -> None:
    one = the_question(refused)
    box.drop(OUTCOMES, OUTCOME.name, OUTCOME)
    assert decide(refused, one.key, CORRECTED, "maria", "by the DERMS") == "the corrected file is taken"
    assert states(refused, TO_DACS)[OUTCOME.name] == "settled"
    assert not waits(refused, one.key)
    assert to_ask(refused, "release", "another", by_hand=True) == []


def test_what_stays_refused_is_not_asked_about_again(refused: Desk) -> None:
    (one,) = to_ask(refused, "release", "run", by_hand=False)
    assert decide(refused, one.key, "Refuse it", "maria", "wrong event") == "it stays refused"
    assert to_ask(refused, "release", "another", by_hand=False) == []


def test_a_file_that_left_its_source_cannot_be_approved(refused: Desk, box: Sandbox) -> None:
    box.place(OUTCOMES).remove(f"Error-{OUTCOME.name}")
    one = the_question(refused)
    with pytest.raises(NotAllowed, match="not at its source any more"):
        decide(refused, one.key, APPROVE, "maria", "")
    assert waits(refused, one.key)
