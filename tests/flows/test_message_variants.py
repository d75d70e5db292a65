"""What an installation may set about messages (a second DERMS, words of its own, releases), and later verdicts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from drbridge.adapters.outside import ConnectionsOutside
from drbridge.exchange.accept import accept, read
from drbridge.exchange.acks import of_delivery
from drbridge.exchange.desk import Desk
from drbridge.exchange.send import answer, send
from drbridge.ledger import deliveries
from drbridge.ports import Connection
from drbridge.systems import DEFAULT_FILE, Systems, load
from drbridge_sandbox.sandbox import Sandbox
from tests.flows.cases import OUTCOME, OUTCOMES, TO_DACS
from tests.flows.chain import NOW, run
from tests.flows.conftest import connection_of, desk_of
from tests.flows.test_message_order import change
from tests.unit.contracts.messages import good

REQUESTS, CHANGES = "derms_dacs_enrollment_request", "dacs_derms_enrollment_sync"
WEST = """
[endpoints.derms_west_enroll]
operation = "derms_enroll"
connection = "derms_west_rest"
method = "POST"
path = "/enroll"
unknown = "resend"
reason = "a change is keyed by dacsMessageId: the same again changes nothing"
"""


def configured(tmp_path: Path, *changes: tuple[str, str]) -> Systems:
    """systems.toml as shipped, with some of its text changed."""
    text = DEFAULT_FILE.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    file = tmp_path / "systems.toml"
    file.write_text(text, encoding="utf-8")
    return load(file)


def deliver(desk: Desk, flow: str, noun: str, *posts: dict[str, Any]) -> None:
    accept(desk, [read(noun, data, "sender") for data in posts])
    send(desk, flow, NOW)
    answer(desk, flow, NOW)


def one_request() -> dict[str, Any]:
    data = good("enrollment_request")
    return data | {"requests": data["requests"][:1]}


def of_division(division: str, sync_id: str) -> dict[str, Any]:
    data = change(sync_id, "2026-07-14T08:00:00Z", f"2000000000000{sync_id[-1]}")
    return data | {"locationInfo": data["locationInfo"] | {"division": division}}


def test_change_goes_to_the_derms_of_its_division(box: Sandbox, tmp_path: Path) -> None:
    routes = 'deliver = ["derms_enroll", "derms_west_enroll"]\nroutes = { WEST = "derms_west_enroll" }'
    acks = "[endpoints.derms_acks]"
    systems = configured(tmp_path, ('deliver = ["derms_enroll"]', routes), (acks, f"{WEST}\n{acks}"))
    called: list[str] = []

    def connection(conn_id: str) -> Connection:
        called.append(conn_id)
        return connection_of(box, conn_id.replace("derms_west", "derms"))

    desk = replace(desk_of(box, systems, tmp_path), outside=ConnectionsOutside(connection))
    box.far("dacs").seed(["11", "12", "13"])
    deliver(
        desk, CHANGES, "enrollment_change", of_division("EAST", "11"), of_division("WEST", "12"), of_division("", "13")
    )
    assert {"derms_rest", "derms_west_rest"} <= set(called)
    with desk.ledger.read() as tx:
        rows = sorted(tx.execute(deliveries.with_intakes(flow=CHANGES)).all(), key=lambda row: row.id)
    assert [row.destination for row in rows][:3] == ["derms_enroll", "derms_west_enroll", "derms_enroll"]
    assert {each["value"] for each in box.far("dacs").effects_of("sync_request").values()} == {"SYNCHRONIZED"}
    desk.ledger.close()


def test_words_of_dacs_stand_in_an_enrollment_and_others_as_they_came(box: Sandbox, tmp_path: Path) -> None:
    systems = configured(tmp_path, ('# "ECOBEE!EB-STATE5"', '"ECOBEE!EB-STATE5"'), ("# THERMOSTAT", "THERMOSTAT"))
    desk = desk_of(box, systems, tmp_path)
    deliver(desk, REQUESTS, "enrollment_request", one_request())
    (enrollment,) = box.far("dacs").records("enrollment").values()
    found = [(each["specification"], each["assetType"]) for each in enrollment["assetInfo"]["assetList"]]
    assert found == [("EB5-SMART", "D1TS"), ("ACME!T800", "ROBOT")]
    desk.ledger.close()


@pytest.mark.parametrize(("profile", "operation"), [("26.4", "postAcknowledgement"), ("23C", "updateSyncRequest")])
def test_enrollment_acknowledgement_goes_as_the_release_takes_it(
    box: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, profile: str, operation: str
) -> None:
    monkeypatch.setenv("DRBRIDGE_PROFILE", profile)
    desk = desk_of(box, load(DEFAULT_FILE), tmp_path)
    box.far("dacs").seed(["05449036987849"])
    data = {
        "dacsMessageId": "05449036987849", "ackType": "SUCCESS", "whenISO": "2026-07-14T20:05:00.000Z",
        "deviceHeadendStatus": [{"deviceId": "100200300402", "headEndRegistration": "D1RE"}],
    }  # fmt: skip
    deliver(desk, "derms_dacs_enrollment_ack", "enrollment_ack_message", data)
    assert box.far("dacs").calls(operation) == 1
    assert box.far("dacs").effects_of("sync_request")["05449036987849"]["value"] == "SYNCHRONIZED"
    registered = {key: each["value"] for key, each in box.far("dacs").effects_of("device_registration").items()}
    assert registered == ({"05449036987849/100200300402": "D1RE"} if profile == "26.4" else {})
    desk.ledger.close()


def test_outcomes_go_one_by_one_to_an_installation_of_23a(box: Sandbox, tmp_path: Path) -> None:
    one_by_one = ('operation = "post_event_outcome"', 'operation = "post_event_outcome_23a"')
    systems = configured(tmp_path, one_by_one, ("quiet_seconds = 5", "quiet_seconds = 0"))
    desk = desk_of(box, systems, tmp_path)
    box.drop(OUTCOMES, OUTCOME.name, OUTCOME.read_bytes())
    run(desk, TO_DACS)
    rows = len(OUTCOME.read_text(encoding="utf-8").splitlines()) - 1
    assert box.far("dacs").calls("postEventOutcome") == rows
    effects = box.far("dacs").effects_of("event_outcome").values()
    assert [each["effects"] for each in effects] == [1] * rows
    desk.ledger.close()


@pytest.mark.parametrize(("flow", "noun", "sync_id"), [
    ("dacs_derms_enrollment_sync", "enrollment_change", "11"),
    ("dacs_derms_program_rules", "program_rules", "15449036987860"),
    ("dacs_derms_aggregators", "aggregator", "15449036987870"),
])  # fmt: skip
def test_derms_that_says_yes_later_ends_the_sync_request_itself(
    desk: Desk, box: Sandbox, flow: str, noun: str, sync_id: str
) -> None:
    box.far("dacs").seed([sync_id])
    box.far("derms").fault("late", path="/")
    data = change("11", "2026-07-14T08:00:00Z") if noun == "enrollment_change" else good(noun)
    deliver(desk, flow, noun, data)
    assert box.far("dacs").effects_of("sync_request") == {}, "nobody knows yet"
    ack = box.far("derms").records("late_verdict")[sync_id]
    noun, flow = {
        "dacs_derms_enrollment_sync": ("enrollment_ack_message", "derms_dacs_enrollment_ack"),
        "dacs_derms_program_rules": ("program_rules_ack", "derms_dacs_program_rules_ack"),
        "dacs_derms_aggregators": ("aggregator_ack", "derms_dacs_aggregators_ack"),
    }[flow]
    deliver(desk, flow, noun, ack)
    assert box.far("dacs").effects_of("sync_request")[sync_id]["value"] == "SYNCHRONIZED"


def test_enrollment_that_exists_already_counts_as_done(desk: Desk, box: Sandbox) -> None:
    deliver(desk, REQUESTS, "enrollment_request", one_request(), one_request() | {"messageId": "ENRQ-2"})
    assert [each["effects"] for each in box.far("dacs").effects_of("enrollment").values()] == [1]
    answers = {key: each["value"] for key, each in box.far("derms").effects_of("ack").items()}
    assert answers == {"ENRQ-20260714-17": "SUCCESS,1", "ENRQ-2": "SUCCESS,1"}


def test_many_requests_of_one_message_are_answered_in_their_order(desk: Desk, box: Sandbox) -> None:
    (first,) = one_request()["requests"]
    many = [first | {"customerInfo": {"cisPersonId": f"P{number}"}} for number in range(30)]
    box.far("dacs").know_customers([f"P{number}" for number in range(0, 30, 3)])
    deliver(desk, REQUESTS, "enrollment_request", one_request() | {"requests": many})
    assert box.far("derms").effects_of("ack")["ENRQ-20260714-17"]["value"] == "ERROR,30"
    with desk.ledger.read() as tx:
        rows = tx.execute(deliveries.with_intakes(flow=REQUESTS)).all()
        (row,) = (row for row in rows if row.destination != "derms_acks")
        told = of_delivery(tx, row, None, 0.0)
    assert [code for code, _ in told.parts] == ["SUCCESS", "ERROR", "ERROR"] * 10


def test_message_of_which_every_request_is_refused_is_answered_to_its_end(desk: Desk, box: Sandbox) -> None:
    (first,) = one_request()["requests"]
    many = [first | {"customerInfo": {"cisPersonId": f"P{number}"}} for number in range(120)]
    box.far("dacs").know_customers(["somebody else"])
    deliver(desk, REQUESTS, "enrollment_request", one_request() | {"requests": many})
    assert box.far("derms").effects_of("ack")["ENRQ-20260714-17"]["value"] == "ERROR,120"


def test_late_word_for_a_sync_request_that_dacs_does_not_know_is_refused_and_stops_nothing(
    desk: Desk, box: Sandbox
) -> None:
    box.far("dacs").seed(["05449036987849"])
    accept(desk, [read("enrollment_ack_message", good("enrollment_ack_message"), "sender")])
    result = send(desk, "derms_dacs_enrollment_ack", NOW)
    assert (result.acked, result.rejected, result.open_left) == (1, 2, 0)
