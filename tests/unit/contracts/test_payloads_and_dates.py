"""What rows become at the other side, and which business day a file belongs to."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import polars as pl
import pytest

from drbridge.contracts import CONTRACTS, enrollment_ack, event_outcome
from tests.unit.good_rows import GOOD


def outcome(**changes: str | None) -> dict[str, str | None]:
    return {**GOOD["event_outcome"], **changes}


def test_an_outcome_becomes_an_item_of_post_event_outcome() -> None:
    assert event_outcome.to_post_outcome(outcome(), "stage") == {
        "eventExternalIdentifier": "1315", "headEndSystem": "ECOBEE", "nicId": "44:61:32:aa:01", "outcome": "D1SP",
        "participationStartDateTime": "2026-07-14T18:00:00Z", "participationEndDateTime": "2026-07-14T20:00:00Z",
    }  # fmt: skip


def test_the_event_may_be_the_key_instead_of_the_stage() -> None:
    assert event_outcome.to_post_outcome(outcome(), "event")["eventExternalIdentifier"] == "9001"


@pytest.mark.parametrize(("ours", "theirs"), [
    ("SUCCESS", "D1SP"), ("OVERRIDE", "D1IO"), ("NON_RESPONSIVE", "D1ND"), ("REJECTED", "D1ER"), ("ERROR", "D1ER"),
    ("CANCELLED", "D1CN"),
])  # fmt: skip
def test_outcomes_are_translated(ours: str, theirs: str) -> None:
    assert event_outcome.to_post_outcome(outcome(outcome=ours), "stage")["outcome"] == theirs


def test_times_are_sent_in_utc() -> None:
    item = event_outcome.to_post_outcome(
        outcome(participationStartDateTime="2026-07-14T20:30:00-05:00",
                participationEndDateTime="2026-07-15T01:30:00.250+00:00"), "stage",
    )  # fmt: skip
    assert item["participationStartDateTime"] == "2026-07-15T01:30:00Z"
    assert item["participationEndDateTime"] == "2026-07-15T01:30:00.250000Z"


def test_absent_fields_are_left_out_and_long_messages_cut() -> None:
    item = event_outcome.to_post_outcome(
        outcome(
            outcome="ERROR", participationStartDateTime=None, participationEndDateTime=None, errorMessage="é" * 101
        ),
        "stage",
    )
    assert item.keys() == {"eventExternalIdentifier", "headEndSystem", "nicId", "outcome", "errorMessage"}
    assert item["errorMessage"] == "é" * 100


def test_outcomes_travel_as_a_list() -> None:
    body = event_outcome.to_post_outcome_list([outcome(), outcome(nicId="2")], "stage")
    assert [item["nicId"] for item in body["postOutcomeList"]] == ["44:61:32:aa:01", "2"]


def test_a_success_becomes_a_sync_request_without_error() -> None:
    fields = {**GOOD["enrollment_ack"], "ackStatus": "SUCCESS"}
    assert enrollment_ack.to_update_sync_request(fields, 90000) == {
        "syncRequestId": "15449036987850",
        "hasError": False,
    }


def test_an_error_becomes_a_sync_request_with_an_exception() -> None:
    assert enrollment_ack.to_update_sync_request(GOOD["enrollment_ack"], 1) == {
        "syncRequestId": "15449036987850", "hasError": True,
        "exceptionInfo": [{
            "sequence": 1, "messageCategory": 90000, "messageNumber": 1001, "comments": "Unknown service point",
            "messageParameters": [
                {"parameterSequence": 1, "messageParameterValue": "SP 9"},
                {"parameterSequence": 2, "messageParameterValue": "X"},
            ],
        }],
    }  # fmt: skip


def test_an_error_without_category_gets_the_configured_one() -> None:
    fields = {"syncRequestId": "1", "ackStatus": "ERROR", "messageCategory": None, "messageNumber": "-7"}
    assert enrollment_ack.to_update_sync_request(fields, 90000)["exceptionInfo"] == [
        {"sequence": 1, "messageCategory": 90000, "messageNumber": -7}
    ]


@pytest.mark.parametrize(("noun", "name", "moment"), [
    ("enrollment_sync", "ENROLL_SYNC_20260714T040000Z_0042.csv", datetime(2026, 7, 14, 4, tzinfo=UTC)),
    ("enrollment_ack", "ENROLL_ACK_20260714T060000Z_1.csv.gz", datetime(2026, 7, 14, 6, tzinfo=UTC)),
    ("event_outcome", "EVENT_OUTCOME_20260714T235959Z_4711.csv", datetime(2026, 7, 14, 23, 59, 59, tzinfo=UTC)),
    ("load_forecast", "LOAD_FORECAST_20260714_20260713T030000Z.csv", datetime(2026, 7, 14, tzinfo=UTC)),
    ("device_reservation", "RESERVE_9001_1315_4712.csv", None),
    ("device_score", "SDCSE_20260714_00.csv", None), ("kwh_avoided", "KWH_AVOIDED_20260714T060000Z_1.csv", None),
    ("kw_drop", "KW_DROP_20260714T060000Z_1.csv", None),
    ("event_outcome", "EVENT_OUTCOME_20260732T235959Z_4711.csv", None), ("event_outcome", "../\n", None),
    ("event_outcome", "EVENT_OUTCOME_120260714T235959Z.csv", None),
    ("load_forecast", "LOAD_FORECAST_20269914.csv", None),
])  # fmt: skip
def test_the_business_date_in_a_name(noun: str, name: str, moment: datetime | None) -> None:
    assert CONTRACTS[noun].business_at_from_name(name) == moment


@pytest.mark.parametrize(("noun", "column", "texts", "which"), [
    ("device_score", "calculationDateTime",
     ["2026-07-13T23:00:00Z", "2026-07-13T22:30:00-02:00", "2026-07-14T01:00:00+05:00", "2026-07-13T23:00:00.5Z"], 1),
    ("kwh_avoided", "ActualStartTime", ["2026-07-13T23:00:00Z", "2026-07-14T01:00:00+05:00", None], 1),
    ("kw_drop", "ActualStartTime", ["2026-07-13T23:00:00-01:00", "2026-07-13T23:30:00Z"], 1),
])  # fmt: skip
def test_the_business_date_in_the_content(noun: str, column: str, texts: list[str | None], which: int) -> None:
    moment = CONTRACTS[noun].business_at(pl.DataFrame({column: texts}))
    assert moment == datetime.fromisoformat(texts[which] or "")


def test_no_rows_have_no_business_date() -> None:
    frame = pl.DataFrame({"calculationDateTime": []}, schema={"calculationDateTime": pl.String})
    assert CONTRACTS["device_score"].business_at(frame) is None


@pytest.mark.parametrize(("noun", "changes", "warnings"), [
    ("device_score", {"successfulParticipations": "11"}, [("successfulParticipations", "above_limit")]),
    ("device_score", {"successfulParticipations": "10"}, []), ("device_score", {"participationLimit": None}, []),
    ("event_outcome", {"errorMessage": "é" * 101}, [("errorMessage", "cut")]),
    ("event_outcome", {"errorMessage": "é" * 100}, []),
    ("kwh_avoided", {"KwhSaved2": "-0.01"}, [("KwhSaved2", "negative_interval")]),
    ("kwh_avoided", {"KwhSaved3": "-1", "KwhSaved4": "-2", "KwhSaved5": "0"}, [("KwhSaved3", "negative_interval")]),
    ("kwh_avoided", {"KwhSaved2": "-0.00"}, []), ("load_forecast", {}, []),
])  # fmt: skip
def test_warnings_do_not_refuse(noun: str, changes: dict[str, str | None], warnings: list[tuple[str, str]]) -> None:
    row = {name: value or None for name, value in {**GOOD[noun], **changes}.items()}
    frame = pl.DataFrame([row], schema=dict.fromkeys(row, pl.String)).with_columns(line=pl.lit(5, pl.UInt32))
    found = list(CONTRACTS[noun].warnings_of(frame))
    assert [(each.line, each.field, each.code) for each in found] == [(5, *each) for each in warnings]


def test_a_warning_over_many_columns_names_the_first_and_counts_the_others() -> None:
    row = {**GOOD["kwh_avoided"], "KwhSaved3": "-1", "KwhSaved6": "-2", "KwhSaved7": "-3"}
    frame = pl.DataFrame([row], schema=dict.fromkeys(row, pl.String)).with_columns(line=pl.lit(5, pl.UInt32))
    (found,) = CONTRACTS["kwh_avoided"].warnings_of(frame)
    assert found.field == "KwhSaved3"
    assert found.text.endswith("(as in 2 more)")


def test_amounts_are_added_up_exactly_and_per_currency() -> None:
    frame = pl.DataFrame({
        "amount": ["0.10"] * 3 + ["-9999999999999.99", "00.5", ".5"],
        "currency": ["USD"] * 5 + ["CAD"],
    })
    assert CONTRACTS["settlement_credit"].sums(frame) == {"USD": Decimal("-9999999999999.19"), "CAD": Decimal("0.5")}
    assert CONTRACTS["kw_drop"].sums(frame) == {}
