"""Acknowledgements that come too early, twice, or against each other: each request ends once, by the first."""

from __future__ import annotations

from typing import Any

import pytest

from drbridge.exchange.desk import Desk
from drbridge.exchange.send import answer, send
from drbridge.exchange.work import Work
from drbridge_sandbox.sandbox import Sandbox
from tests.faults.sending import CHANGES, changed_once, states
from tests.flows.chain import NOW
from tests.flows.test_message_order import change, come

ACKS, NOUN = "derms_dacs_enrollment_ack", "enrollment_ack_message"
REQUEST = "11"
ENDS = {"SUCCESS": "SYNCHRONIZED", "ERROR": "ERROR"}


@pytest.fixture(autouse=True)
def _no_lingering(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drbridge.exchange.send.LINGER_SECONDS", 0.0)


def ack(code: str, minute: int) -> dict[str, Any]:
    """A yes or no to a request of DACS's."""
    when = f"2026-07-14T20:{minute:02}:00.000Z"
    return {"messageId": f"A{minute}", "dacsMessageId": REQUEST, "ackType": code, "whenISO": when}


def state_in_dacs(box: Sandbox) -> str:
    assert changed_once(box.far("dacs"), "sync_request") == 1
    return str(box.far("dacs").effects_of("sync_request")[REQUEST]["value"])


@pytest.mark.parametrize("codes", [("ERROR", "SUCCESS"), ("SUCCESS", "ERROR"), ("SUCCESS", "SUCCESS")])
def test_of_acknowledgements_that_contradict_each_other_the_first_counts(
    desk: Desk, box: Sandbox, codes: tuple[str, str]
) -> None:
    box.far("dacs").seed([REQUEST])
    for minute, code in enumerate(codes):
        come(desk, ack(code, minute), noun=NOUN)
        send(desk, ACKS, NOW)
    assert state_in_dacs(box) == ENDS[codes[0]]
    assert states(desk) == {"ACKED": 2}


def test_of_two_acknowledgements_that_come_at_once_one_counts(desk: Desk, box: Sandbox) -> None:
    box.far("dacs").seed([REQUEST])
    come(desk, ack("ERROR", 0), ack("SUCCESS", 1), noun=NOUN)
    send(desk, ACKS, NOW)
    assert state_in_dacs(box) in ENDS.values()
    assert states(desk) == {"ACKED": 2}


def test_an_acknowledgement_of_what_dacs_does_not_know_yet_can_be_sent_again(desk: Desk, box: Sandbox) -> None:
    come(desk, ack("SUCCESS", 0), noun=NOUN)
    result = send(desk, ACKS, NOW)
    assert states(desk) == {"REJECTED": 1}
    assert "REJECTED" in result.troubles[0], "a person is told"
    box.far("dacs").seed([REQUEST])
    send(desk, ACKS, Work(run="acks/1", who="kim", file="A0", resend="failed", by_hand=True))
    assert state_in_dacs(box) == "SYNCHRONIZED"


@pytest.mark.parametrize("code", ["SUCCESS", "ERROR"])
def test_an_acknowledgement_that_overtakes_the_answer_to_its_request_ends_it_once(
    desk: Desk, box: Sandbox, code: str
) -> None:
    """DERMS has the change, its answer is lost, and its acknowledgement is at DACS before we have asked again."""
    box.far("dacs").seed([REQUEST])
    come(desk, change(REQUEST, "2026-07-14T08:00:00Z"), noun="enrollment_change")
    box.far("derms").fault("drop_after", times=1)
    send(desk, CHANGES, NOW)
    come(desk, ack(code, 0), noun=NOUN)
    send(desk, ACKS, NOW)
    send(desk, CHANGES, NOW)
    told = answer(desk, CHANGES, NOW)
    assert (told.acked, told.rejected) == (1, 0), "what DACS knows already is done"
    assert state_in_dacs(box) == ENDS[code]
    assert states(desk) == {"ACKED": 2}
    assert changed_once(box.far("derms"), "enrollment_sync") == 1
