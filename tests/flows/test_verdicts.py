"""What is taken in is what travels: other settings, other files under a name, newer files of the same day."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select

from drbridge.adapters.s3 import S3Store
from drbridge.adapters.sftp import SftpStore
from drbridge.errors import Unreachable, Unstable
from drbridge.exchange import archive as archiving
from drbridge.exchange import receive
from drbridge.exchange.archive import archive
from drbridge.exchange.desk import Desk
from drbridge.exchange.resend import reopen
from drbridge.exchange.send import send
from drbridge.exchange.take import take
from drbridge.exchange.waiting import look
from drbridge.exchange.work import Work
from drbridge.ledger.tables import intakes
from drbridge_sandbox.sandbox import Sandbox
from tests.flows.cases import (
    BAD_SCORE,
    ENROLLMENT,
    ENROLLMENT_FLOW,
    ENROLLMENTS,
    OLDER_NAME,
    OUTCOME,
    OUTCOMES,
    SCORE,
    SCORE_FLOW,
    SCORES,
    TO_DACS,
    TO_OUAI,
    asked,
    books,
    lenient,
    states,
)  # fmt: skip
from tests.flows.chain import NOW
from tests.flows.conftest import SAMPLES
from tests.flows.more_rows import many_rows
from tests.flows.outsides import Unplugged

ACKS = "s3://ouai_objects/ouai/outgoing/ack"
ACK = SAMPLES / "enrollment_ack" / "ENROLL_ACK_20260714T060000Z_1.csv"
FORECASTS, FORECAST_FLOW = "s3://ouai_objects/ouai/outgoing/forecast", "ouai_derms_load_forecast"
FORECAST = SAMPLES / "load_forecast" / "LOAD_FORECAST_20260714_20260713T030000Z.csv"


def with_flows(desk: Desk, **changes: Any) -> Desk:
    flows = {name: flow for name, flow in (desk.systems.flows | changes).items() if flow is not None}
    return replace(desk, systems=desk.systems.model_copy(update={"flows": flows}))


def test_a_rest_flow_that_is_switched_on_after_a_relay_has_its_fields(desk: Desk, box: Sandbox) -> None:
    box.drop(OUTCOMES, OUTCOME.name, OUTCOME)
    assert states(with_flows(desk, **{TO_DACS: None}), TO_OUAI) == {OUTCOME.name: "settled"}
    box.drop(OUTCOMES, OUTCOME.name, OUTCOME)
    assert states(desk, TO_DACS) == {OUTCOME.name: "settled"}
    assert box.far("dacs").effects_of("event_outcome")


def test_a_flow_that_is_switched_on_while_the_file_waits_gets_it(desk: Desk, box: Sandbox) -> None:
    unplugged = Unplugged(desk.outside, desk.systems.stores["ouai_outcome"].url)
    box.drop(OUTCOMES, OUTCOME.name, OUTCOME)
    assert states(replace(with_flows(desk, **{TO_DACS: None}), outside=unplugged), TO_OUAI) == {OUTCOME.name: "open"}
    assert states(desk, TO_OUAI) == {OUTCOME.name: "settled"}
    assert list(box.files(OUTCOMES)) == [OUTCOME.name], "the other flow has yet to deliver it"
    assert states(desk, TO_DACS) == {OUTCOME.name: "settled"}
    assert box.far("dacs").effects_of("event_outcome")


def test_a_look_shows_a_file_that_a_flow_has_yet_to_begin_with(desk: Desk, box: Sandbox) -> None:
    box.drop(OUTCOMES, OUTCOME.name, OUTCOME)
    unplugged = Unplugged(desk.outside, desk.systems.stores["ouai_outcome"].url)
    states(replace(with_flows(desk, **{TO_DACS: None}), outside=unplugged), TO_OUAI)
    assert look(desk, TO_DACS, Work()).ready == (OUTCOME.name,)


def test_a_destination_that_is_added_while_the_file_waits_gets_it(desk: Desk, box: Sandbox) -> None:
    flow = desk.systems.flows[FORECAST_FLOW]
    one = with_flows(desk, **{FORECAST_FLOW: flow.model_copy(update={"deliver": ("derms_load_forecast",)})})
    box.far("derms").down()
    box.drop(FORECASTS, FORECAST.name, FORECAST)
    states(one, FORECAST_FLOW, Work())
    box.far("derms").up()
    assert states(desk, FORECAST_FLOW) == {FORECAST.name: "settled"}
    assert list(box.files(desk.systems.stores["ouai_forecast"].url)) == [FORECAST.name]


def test_of_two_files_of_a_day_the_newer_is_what_the_far_side_keeps(desk: Desk, box: Sandbox) -> None:
    newer = "LOAD_FORECAST_20260714_20260713T090000Z.csv"
    data = FORECAST.read_bytes().replace(b"2026-07-13T03:00:00Z", b"2026-07-13T09:00:00Z")
    data = data.replace(b"0.9000,1.8000,1.6000,0.9000,-0.7000", b"0.9500,1.9000,1.7000,0.9000,-0.7000")
    box.drop(FORECASTS, newer, data)
    box.drop(FORECASTS, FORECAST.name, FORECAST)
    for name in (newer, FORECAST.name):
        take(desk, FORECAST_FLOW, name)
    send(desk, FORECAST_FLOW, NOW)
    values = [each["value"] for each in box.far("derms").effects_of("load_forecast").values()]
    assert any(value.startswith("1.9") for value in values)
    assert not any(value.startswith("1.8") for value in values)


def test_a_file_replaced_while_its_rejects_are_laid_is_not_lost(
    desk: Desk, box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    box.drop(SCORES, SCORE.name, SCORE)
    lay = archiving._lay_rejects

    def slowly(*args: Any) -> str:
        told = lay(*args)
        box.place(SCORES).remove(SCORE.name)
        box.drop(SCORES, SCORE.name, SCORE.read_bytes().replace(b"0.5,N", b"0.9,N"))
        return told

    with monkeypatch.context() as patch:
        patch.setattr(archiving, "_lay_rejects", slowly)
        with pytest.raises(Unstable):
            states(desk, SCORE_FLOW)
    assert list(box.files(SCORES)) == [SCORE.name]
    assert states(desk, SCORE_FLOW) == {SCORE.name: "settled"}
    with desk.ledger.read() as tx:
        assert tx.execute(select(func.count()).select_from(intakes)).scalar() == 2


def test_the_rejects_of_two_files_of_one_name_are_both_kept(desk: Desk, box: Sandbox) -> None:
    header, *rows = SCORE.read_bytes().splitlines(keepends=True)
    good = many_rows("device_score", rows)
    box.drop(SCORES, SCORE.name, header + b"".join(good) + b"first,bad\n")
    states(lenient(desk), SCORE_FLOW)
    box.drop(SCORES, SCORE.name, header + b"".join(good[:30]) + b"second,bad\n")
    states(lenient(desk), SCORE_FLOW)
    assert set(box.files(SCORES)) == {f"Sent-{SCORE.name}", f"Sent-{SCORE.name}.2"}
    rejects = box.files(f"{SCORES}/rejects")
    assert b"first,bad" in rejects[f"{SCORE.name}.rejects.csv"]
    assert b"second,bad" in rejects[f"{SCORE.name}.2.rejects.csv"]


def test_a_relayed_file_without_rows_is_open_while_its_target_is_down(desk: Desk, box: Sandbox) -> None:
    unplugged = Unplugged(desk.outside, desk.systems.stores["ouai_enrollment"].url)
    box.drop(ENROLLMENTS, ENROLLMENT.name, ENROLLMENT.read_bytes().splitlines(keepends=True)[0])
    assert states(replace(desk, outside=unplugged), ENROLLMENT_FLOW, Work()) == {ENROLLMENT.name: "open"}


def test_a_taking_in_that_was_rolled_back_leaves_no_row_out(
    desk: Desk, box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object, **__: object) -> None:
        raise Unreachable("the ledger went away")

    box.drop(OUTCOMES, OUTCOME.name, OUTCOME)
    states(desk, TO_DACS)
    box.drop(OUTCOMES, OLDER_NAME, OUTCOME.read_text(encoding="utf-8").replace("SUCCESS", "CANCELLED").encode())
    with monkeypatch.context() as patch:
        patch.setattr(receive.parcels, "add", die)
        with pytest.raises(Unreachable):
            take(desk, TO_DACS, OLDER_NAME)
    reopen(desk, TO_DACS, asked(OUTCOME.name, "all"))
    take(desk, TO_DACS, OLDER_NAME)
    assert all(book.balances for book in books(desk).values())


def test_the_rejects_of_a_refused_file_stay_when_the_corrected_one_comes(desk: Desk, box: Sandbox) -> None:
    box.drop(SCORES, SCORE.name, BAD_SCORE)
    states(desk, SCORE_FLOW)
    rejects = box.files(f"{SCORES}/rejects")
    box.drop(SCORES, SCORE.name, SCORE)
    assert states(desk, SCORE_FLOW) == {SCORE.name: "settled"}
    assert set(box.files(SCORES)) == {f"Error-{SCORE.name}", f"Sent-{SCORE.name}"}
    assert box.files(f"{SCORES}/rejects") == rejects


def test_a_renaming_that_was_cut_between_copy_and_delete_is_finished(
    desk: Desk, box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        """A worker that ends here."""

    remove = S3Store.remove

    def die(store: S3Store, name: str) -> None:
        if name == ACK.name:
            raise Killed
        remove(store, name)

    box.drop(ACKS, ACK.name, ACK)
    with monkeypatch.context() as patch:
        patch.setattr(S3Store, "remove", die)
        with pytest.raises(Killed):
            states(desk, "ouai_dacs_enrollment_ack")
    assert len(box.files(ACKS)) == 2
    states(desk, "ouai_dacs_enrollment_ack")
    assert set(box.files(ACKS)) == {f"Error-{ACK.name}"}
    assert set(box.files(f"{ACKS}/rejects")) == {f"{ACK.name}.rejects.csv"}


@pytest.mark.parametrize("moment", ["_renamed", "_given_name"], ids=["before its look", "between look and renaming"])
def test_two_archives_of_one_file_lay_one_list_of_rejects(
    desk: Desk, box: Sandbox, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    header, *rows = OUTCOME.read_bytes().splitlines(keepends=True)
    box.drop(OUTCOMES, OUTCOME.name, header + b"".join(many_rows("event_outcome", rows)) + b"bad,row\n")
    with monkeypatch.context() as patch:
        patch.setattr(archiving, "_put_away", lambda *_: "")
        for flow in (TO_DACS, TO_OUAI):
            states(lenient(desk), flow)
    step, others = getattr(archiving, moment), [TO_OUAI]

    def while_another_does_it(*args: Any) -> object:
        if others:
            archive(lenient(desk), others.pop(), OUTCOME.name)
        return step(*args)

    with monkeypatch.context() as patch:
        patch.setattr(archiving, moment, while_another_does_it)
        assert archive(lenient(desk), TO_DACS, OUTCOME.name).state == "settled"
    assert set(box.files(OUTCOMES)) == {f"Sent-{OUTCOME.name}"}
    assert set(box.files(f"{OUTCOMES}/rejects")) == {f"{OUTCOME.name}.rejects.csv"}


def test_a_file_that_slips_in_under_the_renaming_is_taken_even_if_its_name_is_taken_again(
    desk: Desk, box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename, second, third = SftpStore.rename, *(SCORE.read_bytes().replace(b"0.5,N", each) for each in (b"1,N", b"2,N"))
    to_come = [second, third]

    def busy(store: SftpStore, old: str, new: str) -> None:
        if to_come:
            box.place(SCORES).remove(SCORE.name)
            box.drop(SCORES, SCORE.name, to_come.pop(0))
            rename(store, old, new)
            box.drop(SCORES, SCORE.name, to_come.pop(0))
        else:
            rename(store, old, new)

    box.drop(SCORES, SCORE.name, SCORE)
    with monkeypatch.context() as patch:
        patch.setattr(SftpStore, "rename", busy)
        with pytest.raises(Unstable):
            states(desk, SCORE_FLOW)
    states(desk, SCORE_FLOW)
    with desk.ledger.read() as tx:
        assert tx.execute(select(func.count()).select_from(intakes)).scalar() == 3
    assert all(name.startswith("Sent-") for name in box.files(SCORES))
