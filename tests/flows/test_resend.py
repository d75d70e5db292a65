"""Sending again: only what was asked for, once, and never the older over the newer."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from drbridge.errors import Unreachable
from drbridge.exchange import archive as archiving
from drbridge.exchange.archive import archive
from drbridge.exchange.desk import Desk
from drbridge.exchange.resend import reopen
from drbridge.exchange.resume import due_flows
from drbridge.exchange.send import send
from drbridge.exchange.trace import trace
from drbridge.exchange.waiting import look
from drbridge.exchange.work import Resend, Work
from drbridge_sandbox.sandbox import Sandbox
from tests.flows.cases import (
    BAD_SCORE,
    ENROLLMENT,
    ENROLLMENT_FLOW,
    ENROLLMENTS,
    NIC,
    OLDER_NAME,
    OUTCOME,
    OUTCOMES,
    OVER_THRESHOLD,
    SCORE,
    SCORE_FLOW,
    SCORES,
    TO_DACS,
    TO_OUAI,
    acts,
    asked,
    books,
    give_back,
    lenient,
    states,
    time_passes,
)
from tests.flows.chain import NOW
from tests.flows.more_rows import many_rows
from tests.flows.outsides import OneDown, Unplugged


def test_a_name_given_back_asks_once_however_often_the_file_is_read(desk: Desk, box: Sandbox) -> None:
    box.drop(OUTCOMES, OUTCOME.name, OVER_THRESHOLD)
    states(desk, TO_DACS)
    states(desk, TO_OUAI)
    give_back(desk, OUTCOMES, OUTCOME.name)
    box.far("dacs").fault("reject_keys", keys=[NIC])
    unplugged = Unplugged(desk.outside, desk.systems.stores["ouai_outcome"].url)
    patient = replace(lenient(desk), outside=unplugged)
    calls = []
    for _ in range(3):
        states(patient, TO_DACS)
        states(patient, TO_OUAI)
        calls.append((box.far("dacs").calls(), box.far("derms").calls("acks")))
    assert acts(desk) == [("a person at the source", "resend failed")]
    assert calls[0] == calls[-1]


def test_the_same_bytes_dropped_again_after_they_were_judged_anew_make_no_call(desk: Desk, box: Sandbox) -> None:
    box.drop(OUTCOMES, OUTCOME.name, OVER_THRESHOLD)
    states(desk, TO_DACS)
    states(desk, TO_OUAI)
    give_back(desk, OUTCOMES, OUTCOME.name)
    box.far("dacs").fault("reject_keys", keys=[NIC])
    for flow in (TO_DACS, TO_OUAI):
        states(lenient(desk), flow)
    calls = box.far("dacs").calls(), box.far("derms").calls("acks")
    box.drop(OUTCOMES, OUTCOME.name, OVER_THRESHOLD)
    for flow in (TO_DACS, TO_OUAI):
        states(lenient(desk), flow)
    assert (box.far("dacs").calls(), box.far("derms").calls("acks")) == calls


def test_the_same_file_laid_down_again_beside_its_refused_self_asks_for_nothing(desk: Desk, box: Sandbox) -> None:
    box.drop(SCORES, SCORE.name, SCORE)
    box.far("derms").fault("status", status=400)
    states(desk, SCORE_FLOW)
    calls = box.far("derms").calls()
    box.drop(SCORES, SCORE.name, SCORE)
    assert states(desk, SCORE_FLOW, Work()) == {SCORE.name: "refused"}
    assert box.far("derms").calls() == calls
    assert acts(desk) == []


def test_a_file_to_be_judged_anew_that_went_away_stays_refused_and_is_told(desk: Desk, box: Sandbox) -> None:
    box.drop(SCORES, "SDCSE_9_00.csv", BAD_SCORE)
    states(desk, SCORE_FLOW)
    reopen(desk, SCORE_FLOW, asked("SDCSE_9_00.csv", "failed"))
    box.place(SCORES).remove("SDCSE_9_00.csv")
    assert reopen(desk, SCORE_FLOW, asked("SDCSE_9_00.csv", "failed", 2)).without_source == ("SDCSE_9_00.csv",)
    assert look(desk, SCORE_FLOW, NOW).ready == ("SDCSE_9_00.csv",)
    assert "lay the file back" in archive(desk, SCORE_FLOW, "SDCSE_9_00.csv").text


def test_a_refused_file_that_was_edited_in_its_place_is_not_taken_for_itself(desk: Desk, box: Sandbox) -> None:
    box.drop(SCORES, "SDCSE_9_00.csv", BAD_SCORE)
    states(desk, SCORE_FLOW)
    box.place(SCORES).remove("Error-SDCSE_9_00.csv")
    box.drop(SCORES, "Error-SDCSE_9_00.csv", SCORE)
    told = reopen(desk, SCORE_FLOW, asked("SDCSE_9_00.csv", "failed"))
    assert (told.deliveries, told.without_source) == (0, ("SDCSE_9_00.csv",))
    assert set(box.files(SCORES)) == {"Error-SDCSE_9_00.csv"}


def test_trace_tells_that_a_row_was_overtaken_when_it_was_to_go_again(desk: Desk, box: Sandbox) -> None:
    box.drop(OUTCOMES, OLDER_NAME, OUTCOME.read_text(encoding="utf-8").replace("SUCCESS", "CANCELLED").encode())
    box.far("dacs").fault("reject_keys", keys=[NIC])
    states(desk, TO_DACS)
    box.far("dacs").no_faults()
    box.drop(OUTCOMES, OUTCOME.name, OUTCOME)
    states(desk, TO_DACS)
    states(desk, TO_DACS, asked(OLDER_NAME, "failed"))
    told = {
        each.state for each in trace(desk, NIC) if (each.file, each.destination) == (OLDER_NAME, "dacs_event_outcome")
    }
    assert told == {"SUPERSEDED"}


def test_trace_finds_a_row_that_was_refused_on_its_own(desk: Desk, box: Sandbox) -> None:
    header, *rows = OUTCOME.read_bytes().splitlines(keepends=True)
    good = b"".join(many_rows("event_outcome", rows))
    box.drop(OUTCOMES, OUTCOME.name, header + good + rows[0].replace(b"SUCCESS", b"MAYBE"))
    states(desk, TO_DACS)
    (found,) = [each for each in trace(desk, NIC) if each.destination == "dacs_event_outcome"]
    assert (found.line, found.state) == (42, "REJECTED")
    assert found.answer.startswith("not_in_list")


def test_a_resend_in_one_flow_leaves_the_other_flow_of_the_file_alone(desk: Desk, box: Sandbox) -> None:
    stored = "s3://ouai_objects/ouai/incoming/outcome"
    box.far("dacs").fault("reject_keys", keys=[NIC])
    box.drop(stored, OUTCOME.name, b"somebody else's")
    box.drop(OUTCOMES, OUTCOME.name, OUTCOME)
    states(desk, TO_DACS)
    states(desk, TO_OUAI)
    box.place(stored).remove(OUTCOME.name)
    calls = box.far("dacs").calls()
    assert states(desk, TO_OUAI, asked(OUTCOME.name, "failed")) == {OUTCOME.name: "settled"}
    states(desk, TO_DACS, Work())
    assert acts(desk) == [("kim", "resend failed")]
    assert box.far("dacs").calls() == calls


def test_a_resend_of_a_relay_survives_a_source_that_is_down(desk: Desk, box: Sandbox) -> None:
    box.drop(ENROLLMENTS, ENROLLMENT.name, ENROLLMENT)
    states(desk, ENROLLMENT_FLOW)
    work = asked(ENROLLMENT.name, "all")
    with pytest.raises(Unreachable):
        reopen(replace(desk, outside=OneDown(desk.outside, ENROLLMENTS)), ENROLLMENT_FLOW, work)
    assert states(desk, ENROLLMENT_FLOW, work) == {ENROLLMENT.name: "settled"}
    assert acts(desk) == [("kim", "resend all")]


def test_a_resend_without_its_source_opens_nothing_and_is_told(desk: Desk, box: Sandbox) -> None:
    box.drop(ENROLLMENTS, ENROLLMENT.name, ENROLLMENT)
    states(desk, ENROLLMENT_FLOW)
    box.place(ENROLLMENTS).remove(f"Sent-{ENROLLMENT.name}")
    told = reopen(desk, ENROLLMENT_FLOW, asked(ENROLLMENT.name, "all"))
    assert (told.deliveries, told.without_source) == (0, (ENROLLMENT.name,))
    assert books(desk)[f"{ENROLLMENT.name} > ouai_enrollment"].open == 0
    assert not [why for _, why in due_flows(desk) if "unfinished" in why]


def test_a_file_whose_rows_were_all_refused_has_its_verdict_anew_after_a_resend(desk: Desk, box: Sandbox) -> None:
    box.drop(SCORES, SCORE.name, SCORE)
    box.far("derms").fault("status", status=400)
    assert states(desk, SCORE_FLOW) == {SCORE.name: "refused"}
    box.far("derms").no_faults()
    assert states(desk, SCORE_FLOW, asked(SCORE.name, "failed")) == {SCORE.name: "settled"}
    assert list(box.files(SCORES)) == [f"Sent-{SCORE.name}"]
    assert not box.files(f"{SCORES}/rejects"), "what was refused then is not refused now"


def test_a_dry_run_of_a_resend_shows_the_calls_that_the_resend_then_makes(desk: Desk, box: Sandbox) -> None:
    box.drop(OUTCOMES, OUTCOME.name, OUTCOME)
    box.far("dacs").fault("reject_keys", keys=[NIC])
    states(desk, TO_DACS)
    box.far("dacs").no_faults()
    work = asked(OUTCOME.name, "failed")
    look_first = work.model_copy(update={"dry_run": True})
    assert reopen(desk, TO_DACS, look_first).would_open == (f"{OUTCOME.name} > dacs_event_outcome",)
    shown = [call["key"] for call in send(desk, TO_DACS, look_first).calls]
    before = len(box.far("dacs").requests())
    states(desk, TO_DACS, work)
    assert [request["idempotency_key"] for request in box.far("dacs").requests()][before:] == shown
    assert shown


def test_a_resend_finds_a_file_by_any_name_its_bytes_came_under(desk: Desk, box: Sandbox) -> None:
    for name in (SCORE.name, "SDCSE_0042_01.csv"):
        box.drop(SCORES, name, SCORE)
        states(desk, SCORE_FLOW)
    calls = box.far("derms").calls("deviceScore")
    states(desk, SCORE_FLOW, asked("SDCSE_0042_01.csv", "all"))
    assert box.far("derms").calls("deviceScore") == calls + 1


def kill_before_the_note(desk: Desk, flow: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        """A worker that ends here."""

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(archiving.intakes, "renamed", die)
        with pytest.raises(Killed):
            states(desk, flow)


def test_killed_between_the_renaming_and_its_note_the_next_archive_notes_it(
    desk: Desk, box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    box.drop(SCORES, "SDCSE_9_00.csv", BAD_SCORE)
    kill_before_the_note(desk, SCORE_FLOW, monkeypatch)
    assert list(box.files(SCORES)) == ["Error-SDCSE_9_00.csv"]
    assert archive(desk, SCORE_FLOW, "SDCSE_9_00.csv").state == "refused"
    give_back(desk, SCORES, "SDCSE_9_00.csv")
    assert states(lenient(desk), SCORE_FLOW) == {"SDCSE_9_00.csv": "settled"}


def test_killed_between_the_renaming_and_its_note_the_next_run_notes_it_though_the_file_is_listed_no_more(
    desk: Desk, box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    box.drop(SCORES, "SDCSE_9_00.csv", BAD_SCORE)
    kill_before_the_note(desk, SCORE_FLOW, monkeypatch)
    assert states(desk, SCORE_FLOW) == {"SDCSE_9_00.csv": "refused"}
    assert states(desk, SCORE_FLOW) == {}, "it is noted"


def test_killed_between_the_renaming_and_its_note_a_resend_finds_the_file(
    desk: Desk, box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    box.drop(SCORES, "SDCSE_9_00.csv", BAD_SCORE)
    kill_before_the_note(desk, SCORE_FLOW, monkeypatch)
    archive(desk, SCORE_FLOW, "SDCSE_9_00.csv")
    assert states(lenient(desk), SCORE_FLOW, asked("SDCSE_9_00.csv", "failed")) == {"SDCSE_9_00.csv": "settled"}


@pytest.mark.parametrize("resend", ["failed", "all"])
def test_a_resend_does_not_put_the_older_over_the_newer(desk: Desk, box: Sandbox, resend: Resend) -> None:
    box.drop(OUTCOMES, OLDER_NAME, OUTCOME.read_text(encoding="utf-8").replace("SUCCESS", "CANCELLED").encode())
    box.far("dacs").fault("reject_keys", keys=[NIC])
    states(desk, TO_DACS)
    box.far("dacs").no_faults()
    box.drop(OUTCOMES, OUTCOME.name, OUTCOME)
    states(desk, TO_DACS)
    before = box.far("dacs").effects_of("event_outcome")
    states(desk, TO_DACS, asked(OLDER_NAME, resend))
    assert box.far("dacs").effects_of("event_outcome") == before
    book = books(desk)[f"{OLDER_NAME} > dacs_event_outcome"]
    assert (book.superseded > 0, book.open) == (True, 0)


def test_what_is_in_doubt_does_not_go_over_the_newer(desk: Desk, box: Sandbox) -> None:
    endpoint = desk.systems.endpoints["dacs_event_outcome"].model_copy(update={"unknown": "park"})
    endpoints = {**desk.systems.endpoints, endpoint.name: endpoint}
    careful = replace(desk, systems=desk.systems.model_copy(update={"endpoints": endpoints}))
    box.drop(OUTCOMES, OLDER_NAME, OUTCOME.read_text(encoding="utf-8").replace("SUCCESS", "CANCELLED").encode())
    box.far("dacs").fault("status", status=500, times=1)
    assert states(careful, TO_DACS) == {OLDER_NAME: "needs_person"}
    box.drop(OUTCOMES, OUTCOME.name, OUTCOME)
    states(careful, TO_DACS)
    before = box.far("dacs").effects_of("event_outcome")
    states(careful, TO_DACS, asked(OLDER_NAME, "unknown"))
    assert box.far("dacs").effects_of("event_outcome") == before
    book = books(desk)[f"{OLDER_NAME} > dacs_event_outcome"]
    assert (book.parked, book.open) == (0, 0)


def test_no_answer_goes_while_rows_of_its_file_are_open(desk: Desk, box: Sandbox) -> None:
    box.drop(OUTCOMES, OUTCOME.name, OVER_THRESHOLD)
    box.far("derms").down()
    states(desk, TO_DACS, Work())
    states(desk, TO_OUAI, Work())
    give_back(desk, OUTCOMES, OUTCOME.name)
    box.far("dacs").down()
    box.far("derms").up()
    time_passes(desk)
    states(lenient(desk), TO_DACS, Work())
    assert not box.far("derms").effects_of("ack")
    box.far("dacs").up()
    time_passes(desk)
    states(lenient(desk), TO_DACS, Work())
    (answer,) = box.far("derms").effects_of("ack").values()
    assert answer["value"].startswith("ERROR")
    assert answer["effects"] == 1


def test_an_answer_in_doubt_can_be_sent_again(desk: Desk, box: Sandbox) -> None:
    endpoint = desk.systems.endpoints["derms_acks"].model_copy(update={"unknown": "park"})
    endpoints = {**desk.systems.endpoints, endpoint.name: endpoint}
    careful = replace(desk, systems=desk.systems.model_copy(update={"endpoints": endpoints}))
    box.drop(OUTCOMES, OUTCOME.name, OUTCOME)
    box.far("derms").fault("status", status=502, times=1)
    states(careful, TO_DACS)
    assert books(desk)[f"{OUTCOME.name} > derms_acks"].parked == 1
    states(careful, TO_DACS, asked(OUTCOME.name, "unknown"))
    assert books(desk)[f"{OUTCOME.name} > derms_acks"].acked == 1
    assert len(box.far("derms").effects_of("ack")) == 1


def test_rows_judged_on_another_day_are_the_rows_that_travel(desk: Desk, box: Sandbox) -> None:
    class Later:
        """A clock that is put on by two days."""

        behind = timedelta(days=2)

        def now(self) -> datetime:
            return datetime.now(UTC) - self.behind

        def monotonic(self) -> float:
            return time.monotonic()

    clock = Later()
    header, *rows = SCORE.read_bytes().splitlines(keepends=True)
    yesterday = (datetime.now(UTC) - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ").encode()
    future = rows[0].replace(b"2026-07-13T02:10:00Z", yesterday).replace(b"44:61:32:aa:01", b"44:61:32:aa:77")
    box.drop(SCORES, "SDCSE_7_00.csv", header + b"".join(rows[:3]) + future)
    patient = replace(desk, clock=clock)
    assert states(patient, SCORE_FLOW) == {"SDCSE_7_00.csv": "refused"}
    clock.behind = timedelta(0)
    give_back(desk, SCORES, "SDCSE_7_00.csv")
    assert states(patient, SCORE_FLOW) == {"SDCSE_7_00.csv": "settled"}
    assert books(desk)["SDCSE_7_00.csv > derms_device_score"].acked == 4
    assert len(box.far("derms").effects_of("device_score")) == 4
    assert not box.files(f"{SCORES}/rejects")
