"""Replay by meaning: what goes again is chosen by its cause, program, destination or time, and shown before it goes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from drbridge.errors import BadInput
from drbridge.exchange.desk import Desk
from drbridge.exchange.resend import reopen
from drbridge.exchange.send import send
from drbridge.exchange.work import Work
from drbridge.ledger import parcels
from drbridge_sandbox.sandbox import Sandbox
from tests.flows.cases import OUTCOME, OUTCOMES, TO_DACS, books
from tests.flows.chain import run
from tests.flows.conftest import SAMPLES
from tests.flows.more_rows import many_rows
from tests.flows.test_held import with_endpoint
from tests.flows.test_message_order import change, come
from tests.unit.contracts.messages import good

FLOW, ACKS = "ouai_dacs_enrollment_ack", "s3://ouai_objects/ouai/outgoing/ack"
CHANGES = "dacs_derms_enrollment_sync"
ACK = SAMPLES / "enrollment_ack" / "ENROLL_ACK_20260714T060000Z_1.csv"
HEADER, *ROWS = ACK.read_bytes().splitlines(keepends=True)
THOUSAND = [row.split(b",")[0].decode() for row in many_rows("enrollment_ack", ROWS, 1_000)]
UNKNOWN, CLOSED = set(THOUSAND[100:800:100]), set(THOUSAND[55:58])


def replay(**meant: Any) -> Work:
    return Work(run=f"f/{sorted(meant.items())}", who="kim", resend="failed", by_hand=True, **meant)


@pytest.fixture
def refused(desk: Desk, box: Sandbox) -> Desk:
    """Of 1,000 acknowledgements DACS refused seven, for it did not know their sync request, and three for a bug."""
    box.far("dacs").seed([number for number in THOUSAND if number not in UNKNOWN])
    box.far("dacs").fault("reject_keys", keys=sorted(CLOSED))
    box.drop(ACKS, ACK.name, HEADER + b"".join(many_rows("enrollment_ack", ROWS, 1_000)))
    run(desk, FLOW)
    (book,) = books(desk).values()
    assert (book.rows, book.acked, book.rejected) == (1_000, 990, 10)
    box.far("dacs").no_faults()
    box.far("dacs").seed(sorted(UNKNOWN))
    return desk


def test_seven_rows_refused_for_one_reason_are_shown_and_then_go_alone(refused: Desk, box: Sandbox) -> None:
    calls = box.far("dacs").calls()
    with refused.ledger.read() as tx:
        assert sorted(int(row.rows) for row in parcels.causes(tx, FLOW)) == [3, 7]
    shown = send(refused, FLOW, replay(reason="http_404", dry_run=True)).calls
    run(refused, FLOW, replay(reason="http_404", dry_run=True))
    assert len(shown) == 7
    assert {str(call["path"]).rpartition("/")[2] for call in shown} == UNKNOWN
    run(refused, FLOW, replay(program="WINTER"))
    run(refused, FLOW, replay(reason="http_404", until=datetime(2026, 7, 1, tzinfo=UTC)))
    assert box.far("dacs").calls() == calls, "neither a preview nor what names nothing sends anything"
    run(refused, FLOW, replay(reason="http_404"))
    again = box.far("dacs").requests()[calls:]
    assert {str(each["path"]).rpartition("/")[2] for each in again} == UNKNOWN
    assert len(again) == 7
    (book,) = books(refused).values()
    assert (book.acked, book.rejected) == (997, 3)


def test_a_cause_may_be_named_in_the_other_sides_words(desk: Desk, box: Sandbox) -> None:
    come(desk, change("11", "2026-07-14T08:00:00Z", "S1"), change("12", "2026-07-14T08:00:00Z", "S2"),
         noun="enrollment_change")  # fmt: skip
    box.far("derms").fault("reject_keys", keys=["11"])
    send(desk, CHANGES, Work(by_hand=True))
    box.far("derms").no_faults()
    with desk.ledger.read() as tx:
        (cause,) = parcels.causes(tx, CHANGES)
    assert len(send(desk, CHANGES, replay(reason="REFUSED", dry_run=True)).calls) == 1
    assert send(desk, CHANGES, replay(reason="no such words", dry_run=True)).calls == ()
    assert cause.rows == 1


def test_rows_of_one_program_go_again_and_no_others(desk: Desk, box: Sandbox) -> None:
    header, *rows = OUTCOME.read_bytes().splitlines(keepends=True)
    place = header.rstrip().split(b",").index(b"programId")
    made = [row.split(b",") for row in many_rows("event_outcome", rows, 40)]
    programs = [
        [*row[:place], b"WINTER" if number < 5 else row[place], *row[place + 1 :]] for number, row in enumerate(made)
    ]
    box.drop(OUTCOMES, OUTCOME.name, header + b"".join(b",".join(row) for row in programs))
    single = with_endpoint(desk, "dacs_event_outcome", rows=4)
    nics = [row[5].decode() for row in made]
    box.far("dacs").fault("reject_keys", keys=[nics[2], nics[30]])
    run(single, TO_DACS)
    box.far("dacs").no_faults()
    book = books(desk)[f"{OUTCOME.name} > dacs_event_outcome"]
    assert (book.acked, book.rejected) == (38, 2)
    run(single, TO_DACS, replay(program="WINTER"))
    assert books(desk)[f"{OUTCOME.name} > dacs_event_outcome"].rejected == 1
    assert nics[2] in str(box.far("dacs").effects_of("event_outcome").keys())
    assert nics[30] not in str(box.far("dacs").effects_of("event_outcome").keys())


def test_messages_of_one_program_go_again_and_no_others(desk: Desk, box: Sandbox) -> None:
    rules = good("program_rules")
    come(desk, *(rules | {"syncRequestId": f"9{n}", "programId": f"P{n}"} for n in range(3)), noun="program_rules")
    box.far("derms").fault("reject_keys", keys=["90", "91", "92"])
    send(desk, "dacs_derms_program_rules", Work(by_hand=True))
    shown = send(desk, "dacs_derms_program_rules", replay(program="P1", dry_run=True)).calls
    assert len(shown) == 1


def test_a_destination_that_the_flow_does_not_have_is_told(desk: Desk) -> None:
    with pytest.raises(BadInput, match="does not send to derms_acks"):
        reopen(desk, FLOW, replay(file=ACK.name, destination="derms_acks"))


def test_choosing_without_sending_again_is_refused() -> None:
    with pytest.raises(ValueError, match="say so in resend"):
        Work(reason="http_404")
