"""The hooks of DACS, DERMS and CIS against real services: every operation once, and every way in which one ends."""

from __future__ import annotations

from tests import airflow_settings  # before Airflow is imported

# isort: split

import json
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from drbridge.contracts.aggregator import Aggregator
from drbridge.contracts.device_reservation import DeviceReservation, ReservedDevice
from drbridge.contracts.device_status_check import DeviceStatusCheck
from drbridge.contracts.enrollment_change import EnrollmentChange
from drbridge.contracts.enrollment_request import AssetInfo, EnrollmentRequest
from drbridge.contracts.event_opt_out import EventOptOut
from drbridge.contracts.event_outcome import EventOutcome
from drbridge.contracts.event_status import EventStatus
from drbridge.contracts.msg_ack import DeviceStatusAck, EnrollmentAckMessage
from drbridge.contracts.program_rules import ProgramRules
from drbridge.contracts.unavailability import Unavailability
from drbridge.errors import BadInput, Busy, Misconfigured, NotKnownThere, Rejected, Unreachable
from drbridge.settings import Lookups
from drbridge.systems import Site, load
from drbridge_airflow.hooks import CisHook, DacsHook, DermsHook
from drbridge_airflow.hooks.told import Aggregator as KnownAggregator
from drbridge_airflow.hooks.told import Ended, Enrollment, Health, ProgramEvent, Refusal, Step, Taken
from drbridge_sandbox.far import Far
from drbridge_sandbox.sandbox import Sandbox

assert airflow_settings

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "tests" / "samples"
BEGIN, END = datetime(2026, 7, 14, 18, tzinfo=UTC), datetime(2026, 7, 14, 20, tzinfo=UTC)
ASSET = {
    "sequence": 1, "specification": "ECOBEE!EB-STATE5", "assetType": "THERMOSTAT", "nicId": "44:61:32:aa:01",
    "headEndSystem": "ECOBEE",
}  # fmt: skip
AGGREGATOR = KnownAggregator("300001", "AGG-7", "ACTIVE")
SCORES = SAMPLES / "device_score" / "SDCSE_0042_00.csv"
FORECAST = SAMPLES / "load_forecast" / "LOAD_FORECAST_20260714_20260713T030000Z.csv"
CONTACT = "\t2026-07-14T06:00:00Z\tF1IC\t7001\tPERSON\tANNA LEE\t\t\t\t\tfalse\t\n"


@pytest.fixture
def box(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    for system in sandbox.services:
        sandbox.far(system).reset()
    for name, value in sandbox.env().items():
        monkeypatch.setenv(name, value)
    return sandbox


@pytest.fixture
def far_dacs(box: Sandbox) -> Far:
    return box.far("dacs")


@pytest.fixture
def far_derms(box: Sandbox) -> Far:
    return box.far("derms")


@pytest.fixture
def dacs(box: Sandbox) -> Iterator[DacsHook]:
    with DacsHook(site=site(lookups=Lookups(asset_specification={"ECOBEE!EB-STATE5": "EB5-SMART"}))) as hook:
        yield hook


@pytest.fixture
def derms(box: Sandbox) -> Iterator[DermsHook]:
    with DermsHook() as hook:
        yield hook


def site(**changed: Any) -> Site:
    return load().site.model_copy(update=changed)


def sample(noun: str) -> Any:
    return json.loads((SAMPLES / "messages" / f"{noun}.json").read_text())


def request(**changes: Any) -> EnrollmentRequest:
    customer = {
        "customerInfo": {"cisPersonId": "7001", "name": "ANNA LEE"},
        "programInfo": {"programCode": "SUMMER-TSTAT", "startDateTimeISO": "2026-07-14T00:00:00-05:00"},
        "locationInfo": {"cisServicePointId": "1122334455"},
        "assetInfo": {"installationMethod": "X1SI", "assetOwnership": "W1CO", "assetList": [ASSET]},
    }
    return EnrollmentRequest.model_validate({"messageId": "ENRQ-1", "requests": [customer | changes]})


def status(stage_status: str, **changes: Any) -> EventStatus:
    return EventStatus.model_validate(sample("event_status") | {"stageStatus": stage_status} | changes)


def device(nic: str = "44:61:32:aa:01", **times: str) -> ReservedDevice:
    return ReservedDevice.model_validate({"recordId": "1", "nicId": nic, "headEndSystemId": "ECOBEE"} | times)


def outcome(nic: str = "44:61:32:aa:01", **changes: str) -> EventOutcome:
    row = {
        "eventId": "9001", "stageId": "1315", "programId": "SUMMER-TSTAT", "nicId": nic, "headEndSystemId": "ECOBEE",
        "outcome": "SUCCESS", "participationStartDateTime": "2026-07-14T13:00:00-05:00",
        "participationEndDateTime": "2026-07-14T20:00:00Z",
    }  # fmt: skip
    return EventOutcome.model_validate(row | changes)


def change(**changes: Any) -> EnrollmentChange:
    data = sample("enrollment_change")["sendDetails"] | {"contactInfo": {"cisPersonId": "7001"}}
    return EnrollmentChange.model_validate(data | changes)


def test_a_customer_enrolls_gets_another_device_and_leaves(dacs: DacsHook, far_dacs: Far) -> None:
    made = dacs.enroll(request())
    assert made.status == "PENDING"
    assert dacs.get_enrollment(made.id) == made
    kept = far_dacs.records("enrollment")[made.id]
    assert kept["transactionId"] == "ENRQ-1"
    assert kept["programInfo"] == {"programCode": "SUMMER-TSTAT", "startDate": "2026-07-14"}
    assert kept["assetInfo"]["assetList"] == [ASSET | {"specification": "EB5-SMART"}]
    more = AssetInfo.model_validate({"assetList": [ASSET | {"nicId": "44:61:32:aa:02"}]})
    assert dacs.enroll_device("T-2", made.id, more) == made
    left = dacs.unenroll("T-3", enrollment_id=made.id, reason="CUSTOMEROPTOUT", removal_method="X1KP")
    assert left == Enrollment(made.id, "PENDING")
    assert dacs.get_unenrollment(made.id) == left
    assert far_dacs.effects_of("unenrollment")[made.id]["value"] == "CUSTOMEROPTOUT"


def test_a_subscription_of_dacs_ends_by_its_own_number(dacs: DacsHook) -> None:
    assert dacs.unenroll("T-3", program_subscription_id="55", reason="LSSL") == Enrollment("55", "PENDING")
    assert dacs.get_unenrollment("55").id == "55"


def test_an_enrollment_that_exists_is_had_already(dacs: DacsHook) -> None:
    dacs.enroll(request())
    assert dacs.enroll(request()).had_it


def test_a_customer_dacs_does_not_know_is_refused_with_the_number_of_what_it_kept(
    dacs: DacsHook, far_dacs: Far
) -> None:
    far_dacs.know_customers(["1"])
    with pytest.raises(Rejected, match="is not known") as refused:
        dacs.enroll(request())
    (kept,) = far_dacs.records("enrollment")
    assert f"enrollmentId {kept}" in refused.value.detail
    assert "7001" not in str(refused.value), "the reason quotes no customer"
    assert dacs.get_enrollment(kept).status == "VAL-ERROR"


def test_what_became_of_sync_requests_and_communications_is_told_once(dacs: DacsHook, far_dacs: Far) -> None:
    ack = EnrollmentAckMessage.model_validate({
        "ackType": "SUCCESS", "whenISO": "2026-07-14T20:05:00Z", "dacsMessageId": "42",
        "deviceHeadendStatus": [{"deviceId": "1", "headEndRegistration": "D1RE"}],
    })  # fmt: skip
    far_dacs.seed(["41", "42", "43"])
    assert dacs.update_sync_request("41") == Ended("41", "SYNCHRONIZED")
    assert dacs.update_sync_request("41").had_it
    refusal = Refusal("Unknown service point", 1001, message_parameters=("SP 1122334455", "EAST"))
    assert dacs.update_sync_request("43", refusal) == Ended("43", "ERROR")
    assert dacs.post_acknowledgement(ack) == Ended("42", "SYNCHRONIZED")
    assert far_dacs.effects_of("device_registration")["42/1"]["value"] == "D1RE"
    answer = DeviceStatusAck.model_validate(sample("device_status_ack"))
    far_dacs.plant("device_communication", {"70000000000012": {}, "70000000000013": {}})
    assert dacs.device_status_response(answer) == Ended("70000000000012", "COMPLETE")
    assert dacs.device_status_response(answer, 1) == Ended("70000000000013", "COMPLETE")
    assert dacs.device_status_response(answer, 1).had_it
    told = far_dacs.effects_of("device_status")
    assert [each["value"] for each in told.values()] == ["SUCCESS", "FAILURE"]


def test_a_stage_is_scheduled_reserves_devices_runs_ends_and_tells_what_they_did(dacs: DacsHook, far_dacs: Far) -> None:
    assert dacs.create_program_event(status("SCHEDULED")) == Step(("X1IP", "F1CN"))
    assert dacs.create_program_event(status("SCHEDULED")).had_it
    message = DeviceReservation.model_validate(sample("device_reservation_message"))
    part = {"reservationStartDateTime": "2026-07-14T13:30:00-05:00", "reservationEndDateTime": "2026-07-14T19:00:00Z"}
    assert dacs.reserve_device(message, [device(), device("44:61:32:aa:02", **part)]) == Taken()
    assert [each["value"] for each in far_dacs.effects_of("device_reservation").values()] == [
        "RESERVED|2026-07-14T18:00:00Z|2026-07-14T20:00:00Z", "RESERVED|2026-07-14T18:30:00Z|2026-07-14T19:00:00Z",
    ]  # fmt: skip
    assert dacs.action_program_event(status("IN PROGRESS")) == Step(("F1CO",))
    assert dacs.program_event("1315") == ProgramEvent("1315", "9001", "IN PROGRESS", BEGIN, END)
    assert dacs.action_program_event(status("COMPLETED")) == Step(())
    assert dacs.post_event_outcome([outcome(), outcome("44:61:32:aa:02", outcome="OVERRIDE")]) == Taken()
    assert dacs.post_event_outcome_23a(outcome("44:61:32:aa:03", outcome="REJECTED", errorMessage="no")) == Taken()
    told = {key.rpartition("/")[2]: each["value"] for key, each in far_dacs.effects_of("event_outcome").items()}
    times = "2026-07-14T18:00:00Z|2026-07-14T20:00:00Z"
    assert told == {
        "44:61:32:aa:01": f"D1SP|{times}|", "44:61:32:aa:02": f"D1IO|{times}|", "44:61:32:aa:03": f"D1ER|{times}|no",
    }  # fmt: skip


def test_where_dacs_knows_events_and_no_stages_all_operations_name_the_event(box: Sandbox, far_dacs: Far) -> None:
    with DacsHook(site=site(program_event_key="event")) as dacs:
        dacs.create_program_event(status("SCHEDULED"))
        message = DeviceReservation.model_validate(sample("device_reservation_message"))
        dacs.reserve_device(message, [device()])
        dacs.post_event_outcome([outcome()])
        assert dacs.pre_event_cancellation(status("CANCELED", cancelReason="Storm")) == Taken()
        assert dacs.action_program_event(status("CANCELED", cancelReason="Storm")) == Step(())
        assert dacs.program_event("9001").status == "CANCELED"
    assert far_dacs.effects_of("device_reservation")["9001/ECOBEE/44:61:32:aa:01"]["value"] == "CANCELED"
    assert list(far_dacs.effects_of("event_outcome")) == ["9001/ECOBEE/44:61:32:aa:01"]


def test_a_status_is_asked_of_the_operation_it_belongs_to(dacs: DacsHook, far_dacs: Far) -> None:
    with pytest.raises(BadInput, match="only SCHEDULED"):
        dacs.create_program_event(status("COMPLETED"))
    with pytest.raises(BadInput, match="create the program event"):
        dacs.action_program_event(status("SCHEDULED"))
    with pytest.raises(BadInput, match="names no stage"):
        dacs.action_program_event(status("CANCELED", stageId=None, stages=["1315"]))
    with pytest.raises(BadInput, match="only CANCELED"):
        dacs.pre_event_cancellation(status("SCHEDULED"))
    assert far_dacs.calls() == 0


def test_dacs_tells_how_it_is_and_which_aggregators_it_has(dacs: DacsHook, far_dacs: Far) -> None:
    far_dacs.plant("aggregator", {"300001": {"externalReferenceId": "AGG-7"}})
    assert dacs.health_check() == Health("UP", "26.4")
    assert dacs.der_aggregators() == (AGGREGATOR,)


def test_derms_takes_what_dacs_tells_it(derms: DermsHook, far_derms: Far) -> None:
    rules, aggregator = sample("program_rules"), sample("aggregator")
    assert derms.enroll(change()) == Taken()
    assert derms.status_check(
        DeviceStatusCheck.model_validate(sample("device_status_check")["sendDetails"])
    ) == Taken(verdict_later=True)  # fmt: skip
    assert derms.programs(ProgramRules.model_validate(rules)) == Taken()
    assert derms.aggregators(Aggregator.model_validate(aggregator)) == Taken()
    assert derms.list_aggregators() == (AGGREGATOR,)
    assert derms.aggregator_removed(AGGREGATOR, date(2026, 7, 15), "GONE-1") == Taken()
    assert [each.status for each in derms.list_aggregators()] == ["INACTIVE"]
    assert derms.opt_out(EventOptOut.model_validate(sample("event_opt_out"))) == Taken()
    assert derms.unavailability(Unavailability.model_validate(sample("unavailability"))) == Taken()
    heard = {"enrollment_sync", "status_check", "program_rules", "aggregator", "event_opt_out", "unavailability"}
    assert set(far_derms.counts()["effects"]) == heard


def test_derms_takes_files_and_answers(derms: DermsHook, far_derms: Far, tmp_path: Path) -> None:
    customers = tmp_path / "C1-DCTEX_0033_00.csv"
    customers.write_text(CONTACT)
    assert derms.device_score(SCORES) == derms.load_forecast(FORECAST) == derms.customers(customers) == Taken()
    parts: list[Any] = [("SUCCESS", "00000000000001"), ("ERROR", "Customer is not known")]
    assert derms.acks(EnrollmentRequest.model_validate(sample("enrollment_request")), parts) == Taken()
    assert far_derms.effects_of("ack")["ENRQ-20260714-17"]["value"] == "ERROR,2"
    assert set(far_derms.counts()["effects"]) == {"device_score", "load_forecast", "customer", "ack"}
    assert derms.health() == Health("UP")


def test_the_cis_hears_what_became_of_its_customers(box: Sandbox) -> None:
    box.far("ccs").seed(["61", "62"])
    with CisHook() as cis:
        assert cis.update_sync_request("61") == Ended("61", "SYNCHRONIZED")
        assert cis.update_sync_request("62", Refusal("Name is missing")) == Ended("62", "ERROR")
        assert cis.health_check() == Health("UP", "23C")


def test_a_verdict_that_comes_later_is_no_yes(derms: DermsHook, far_derms: Far) -> None:
    far_derms.fault("late")
    assert derms.enroll(change()) == Taken(verdict_later=True)


def test_a_business_error_inside_a_good_status_is_a_refusal(derms: DermsHook) -> None:
    with pytest.raises(Rejected, match="cisPersonId is null"):
        derms.enroll(change(contactInfo={"cisPersonId": None}))


def test_a_refused_file_is_a_refusal_with_the_reason(derms: DermsHook, tmp_path: Path) -> None:
    empty = tmp_path / "SDCSE_1_00.csv"
    empty.write_bytes(b"")
    with pytest.raises(Rejected, match="The file is empty"):
        derms.device_score(empty)


def test_what_is_not_known_there_says_so(dacs: DacsHook) -> None:
    asked: list[Any] = [
        lambda: dacs.program_event("1315"), lambda: dacs.get_enrollment("1"), lambda: dacs.get_unenrollment("1"),
        lambda: dacs.update_sync_request("9"), lambda: dacs.action_program_event(status("COMPLETED")),
        lambda: dacs.unenroll("T", enrollment_id="1", reason="LSSL"),
    ]  # fmt: skip
    for ask in asked:
        with pytest.raises(NotKnownThere, match=r"DACS refused: .*no "):
            ask()


def test_a_busy_service_says_for_how_long(dacs: DacsHook, far_dacs: Far) -> None:
    for status_code in (429, 503):
        far_dacs.fault("status", status=status_code, retry_after=7, times=1)
        with pytest.raises(Busy, match="asks us to wait") as busy:
            dacs.update_sync_request("9")
        assert busy.value.retry_after == 7


@pytest.mark.parametrize("fault", ["drop_after", "error_after", "html"])
def test_a_lost_answer_leaves_the_effect_in_doubt(dacs: DacsHook, far_dacs: Far, fault: str) -> None:
    far_dacs.seed(["41"])
    far_dacs.fault(fault, times=1)
    with pytest.raises(Unreachable, match="whether the request took effect is not known"):
        dacs.update_sync_request("41")
    assert dacs.update_sync_request("41").had_it == (fault != "html")


def test_a_question_without_an_answer_leaves_nothing_in_doubt(dacs: DacsHook, far_dacs: Far) -> None:
    for fault in ("html", "drop_before"):
        far_dacs.fault(fault, path="healthCheck", times=1)
        with pytest.raises(Unreachable, match="gave no answer") as lost:
            dacs.health_check()
        assert "took effect" not in str(lost.value)


def test_a_service_that_is_down_is_sent_nothing(dacs: DacsHook, far_dacs: Far) -> None:
    far_dacs.down()
    with pytest.raises(Unreachable, match="nothing was sent"):
        dacs.health_check()


def test_a_wrong_login_is_our_mistake(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = box.connections()["ccs_rest"] | {"password": "wrong"}
    monkeypatch.setenv("AIRFLOW_CONN_CCS_REST", json.dumps(wrong))
    with pytest.raises(Misconfigured, match="does not take the login"):
        CisHook().update_sync_request("9")
    assert not CisHook().test_connection()[0]


def test_a_path_the_other_side_does_not_have_is_our_mistake(box: Sandbox) -> None:
    with pytest.raises(Misconfigured, match="does not take the address"):
        DermsHook("dacs_rest").enroll(change())


def test_a_system_is_looked_at_where_it_tells_its_health(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    for hook in (DacsHook(), DermsHook(), CisHook()):
        assert hook.test_connection() == (True, "answers (HTTP 200)")
    elsewhere = box.connections()["dacs_rest"] | {"extra": {"auth": "basic", "health_path": "/rest/apis/healthCheck"}}
    monkeypatch.setenv("AIRFLOW_CONN_DACS_REST", json.dumps(elsewhere))
    assert DacsHook().test_connection()[0]


def test_in_one_run_a_repetition_changes_nothing_and_in_another_it_is_new(box: Sandbox, far_dacs: Far) -> None:
    first = DacsHook(run="manual__2026-07-14").enroll(request())
    assert DacsHook(run="manual__2026-07-14").enroll(request()) == first
    assert far_dacs.counts()["replayed"] == 1
    assert DacsHook(run="manual__2026-07-15").enroll(request()).had_it


def test_in_one_run_a_file_that_changed_is_another_request(box: Sandbox, far_derms: Far, tmp_path: Path) -> None:
    file = tmp_path / SCORES.name
    file.write_bytes(SCORES.read_bytes())
    DermsHook(run="r").device_score(file)
    DermsHook(run="r").device_score(file)
    file.write_bytes(file.read_bytes()[:-1])
    DermsHook(run="r").device_score(file)
    assert far_derms.counts()["replayed"] == 1


def test_in_a_with_block_one_token_serves_all_calls(box: Sandbox, far_derms: Far) -> None:
    with DermsHook() as derms:
        derms.health()
        derms.list_aggregators()
    DermsHook().health()
    assert [each["operation"] for each in far_derms.requests()].count("token") == 2


def test_the_example_of_the_page_does_what_it_says(box: Sandbox, far_dacs: Far) -> None:
    page = (ROOT / "docs" / "develop.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(from drbridge\.contracts.*?)```", page, re.DOTALL)
    dacs, stage = DacsHook(), status("SCHEDULED")
    dacs.create_program_event(stage)
    names: dict[str, Any] = {"run_id": "manual__2026-07-14", "message": sample("event_status")}
    exec(compile(example, "docs/develop.md", "exec"), names)
    assert names["step"] == Step((), had_it=True)
    assert far_dacs.program_event_steps("1315") == [("create", True), ("create", False)]
