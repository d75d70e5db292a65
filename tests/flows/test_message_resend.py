"""A person has messages sent again: by number, by day, refused ones, doubtful ones; nothing overtakes what is newer."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from drbridge.exchange.accept import accept, read
from drbridge.exchange.desk import Desk
from drbridge.exchange.seal import new_key
from drbridge.exchange.send import answer, send
from drbridge.exchange.tally import SendResult
from drbridge.exchange.trace import trace
from drbridge.exchange.work import Resend, Work
from drbridge.ledger.tables import deliveries, parcels
from drbridge_sandbox.sandbox import Sandbox
from tests.flows.cases import acts
from tests.flows.chain import NOW
from tests.flows.test_message_order import change
from tests.unit.contracts.messages import good

RULES, CHANGES, OPT_OUTS = "dacs_derms_program_rules", "dacs_derms_enrollment_sync", "dacs_derms_event_opt_out"


def come(desk: Desk, noun: str, *posts: dict[str, Any]) -> list[str]:
    """Messages come in; their numbers as their sender was told them."""
    return [receipt.number for receipt in accept(desk, [read(noun, data, "sender") for data in posts])]


def asked(resend: Resend, file: str | None = None, run: str = "flow/1", **window: Any) -> Work:
    return Work(run=run, who="kim", file=file, resend=resend, by_hand=True, **window)


def run(desk: Desk, flow: str, work: Work = NOW) -> SendResult:
    sent = send(desk, flow, work)
    answer(desk, flow, work)
    return sent


def live(desk: Desk, flow: str) -> list[tuple[str, str, int]]:
    """State, key and generation of the requests that count, without the answers."""
    look = select(parcels).join_from(parcels, deliveries).where(deliveries.c.flow == flow, parcels.c.state != "RESENT")
    with desk.ledger.read() as tx:
        rows = tx.execute(look.where(deliveries.c.destination.not_like("%answer")).order_by(parcels.c.id))
        return [(row.state, row.key, row.generation) for row in rows]


def opt_outs(*numbers: str) -> list[dict[str, Any]]:
    return [good("event_opt_out") | {"messageId": number, "stageId": number} for number in numbers]


def refuse(box: Sandbox, *keys: str) -> None:
    box.far("derms").fault("reject_keys", keys=list(keys))


@pytest.mark.parametrize("names", ["ours", "its sender's", "a pattern"])
def test_refused_message_goes_again_by_the_number_a_person_has(desk: Desk, box: Sandbox, names: str) -> None:
    refuse(box, "OO-1", "OO-2")
    numbers = come(desk, "event_opt_out", *opt_outs("OO-1", "OO-2"))
    assert run(desk, OPT_OUTS).rejected == 2
    box.far("derms").no_faults()
    name = {"ours": numbers[0], "its sender's": "OO-1", "a pattern": f"{numbers[0][:12]}*"}[names]
    run(desk, OPT_OUTS, asked("failed", name))
    assert list(box.far("derms").effects_of("event_opt_out")) == ["OO-1"]
    assert acts(desk) == [("kim", "resend failed")]
    keys = [key for _, key, _ in live(desk, OPT_OUTS)]
    assert len(set(keys)) == 2, "it went under a new key, or the target would repeat its refusal"


def test_a_run_that_is_cleared_sends_again_once_only(desk: Desk, box: Sandbox) -> None:
    (number,) = come(desk, "event_opt_out", *opt_outs("OO-1"))
    run(desk, OPT_OUTS)
    for _ in range(2):
        run(desk, OPT_OUTS, asked("all", number))
    assert box.far("derms").calls("optOuts") == 2
    assert box.far("derms").effects_of("event_opt_out")["OO-1"]["effects"] == 1


def test_accepted_message_is_left_alone_unless_all_is_said(desk: Desk, box: Sandbox) -> None:
    (number,) = come(desk, "event_opt_out", *opt_outs("OO-1"))
    run(desk, OPT_OUTS)
    run(desk, OPT_OUTS, asked("failed", number))
    assert box.far("derms").calls("optOuts") == 1


def test_only_messages_of_the_day_that_is_asked_for_go_again(desk: Desk, box: Sandbox) -> None:
    late = opt_outs("OO-2")[0] | {"optOutDateTime": "2026-07-20T10:00:00Z"}
    come(desk, "event_opt_out", *opt_outs("OO-1"), late)
    refuse(box, "OO-1", "OO-2")
    run(desk, OPT_OUTS)
    box.far("derms").no_faults()
    run(desk, OPT_OUTS, asked("failed", since="2026-07-20T00:00:00Z", until="2026-07-21T00:00:00Z"))
    assert list(box.far("derms").effects_of("event_opt_out")) == ["OO-2"]


def test_refused_message_that_a_newer_one_has_overtaken_does_not_go_even_then(desk: Desk, box: Sandbox) -> None:
    box.far("dacs").seed(["11", "12"])
    refuse(box, "11")
    (older,) = come(desk, "enrollment_change", change("11", "2026-07-14T08:00:00Z"))
    run(desk, CHANGES)
    box.far("derms").no_faults()
    come(desk, "enrollment_change", change("12", "2026-07-14T09:00:00Z"))
    run(desk, CHANGES)
    calls = box.far("derms").calls("enroll")
    run(desk, CHANGES, asked("failed", older))
    assert box.far("derms").calls("enroll") == calls
    assert [state for state, _, _ in live(desk, CHANGES)] == ["ACKED", "SUPERSEDED"]


def test_accepted_message_sent_again_keeps_its_place_before_a_newer_one(desk: Desk, box: Sandbox) -> None:
    box.far("dacs").seed(["11", "12"])
    (older,) = come(desk, "enrollment_change", change("11", "2026-07-14T08:00:00Z"))
    run(desk, CHANGES)
    come(desk, "enrollment_change", change("12", "2026-07-14T09:00:00Z"))
    run(desk, CHANGES, asked("all", older))
    assert [each["dacsMessageId"] for each in box.far("derms").records("subscription").values()] == ["12"]
    assert box.far("derms").counts()["effects"]["enrollment_sync"]["late"] == 0


def test_message_in_doubt_goes_again_under_its_old_key(desk: Desk, box: Sandbox) -> None:
    parking = desk.systems.endpoints["derms_opt_outs"].model_copy(update={"unknown": "park"})
    endpoints = desk.systems.endpoints | {"derms_opt_outs": parking}
    desk = Desk(desk.systems.model_copy(update={"endpoints": endpoints}), desk.ledger, desk.staging, desk.outside)
    (number,) = come(desk, "event_opt_out", *opt_outs("OO-1"))
    box.far("derms").fault("drop_after", times=1)
    assert run(desk, OPT_OUTS).parked == 1
    before = live(desk, OPT_OUTS)
    run(desk, OPT_OUTS, asked("unknown", number))
    (after,) = live(desk, OPT_OUTS)
    assert (before[0][0], after) == ("PARKED", ("ACKED", before[0][1], 0))
    assert box.far("derms").effects_of("event_opt_out")["OO-1"]["effects"] == 1


def test_refusal_taken_back_is_answered_anew(desk: Desk, box: Sandbox) -> None:
    request = good("enrollment_request") | {"requests": good("enrollment_request")["requests"][:1]}
    box.far("dacs").fault("reject_keys", keys=["0012345678"])
    (number,) = come(desk, "enrollment_request", request)
    run(desk, "derms_dacs_enrollment_request")
    assert box.far("derms").effects_of("ack")["ENRQ-20260714-17"]["value"] == "ERROR,1"
    box.far("dacs").no_faults()
    run(desk, "derms_dacs_enrollment_request", asked("failed", number))
    assert box.far("derms").effects_of("ack")["ENRQ-20260714-17"]["value"] == "SUCCESS,1"


def test_dry_run_shows_what_would_go_again_and_sends_nothing(desk: Desk, box: Sandbox) -> None:
    (number,) = come(desk, "event_opt_out", *opt_outs("OO-1"))
    run(desk, OPT_OUTS)
    work = asked("all", number).model_copy(update={"dry_run": True})
    calls = run(desk, OPT_OUTS, work).calls
    assert [(call["method"], call["path"]) for call in calls] == [("POST", "/optOuts")]
    assert box.far("derms").calls("optOuts") == 1
    assert acts(desk) == []


def test_trace_finds_a_message_by_what_it_names_and_by_its_number(desk: Desk, box: Sandbox) -> None:
    (number, _) = come(desk, "event_opt_out", *opt_outs("7001", "7002"))
    run(desk, OPT_OUTS)
    found = trace(desk, "7001")
    assert [(each.file, each.flow, each.state) for each in found] == [(number, OPT_OUTS, "ACKED")]
    assert set(found[0].matched) == {"messageId", "stageId"}
    assert [each.file for each in trace(desk, number)] == [number]
    assert trace(desk, "7003") == []


def test_trace_finds_the_others_when_the_key_of_one_message_is_gone(
    desk: Desk, box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRBRIDGE_SEAL_KEY", new_key())
    (lost,) = come(desk, "event_opt_out", *opt_outs("7001"))
    monkeypatch.setenv("DRBRIDGE_SEAL_KEY", new_key())
    (kept,) = come(desk, "event_opt_out", *opt_outs("7002"))
    assert [each.file for each in trace(desk, "7002")] == [kept]
    assert [each.file for each in trace(desk, lost)] == [lost], "it is found by its number all the same"
