"""Every rule of every contract: a good row with one thing changed, and what is said about it."""

from __future__ import annotations

import pytest

from drbridge.contracts import CODES, CONTRACTS
from drbridge.contracts.kinds import Parts, Text
from tests.unit.contracts.glances import NOW, Change, at_a_glance
from tests.unit.good_rows import GOOD


def found(noun: str, changes: Change) -> list[tuple[str, str]]:
    """What the model says; the columns as a whole must say good only where the model does."""
    contract = CONTRACTS[noun]
    row = {name: value or None for name, value in {**GOOD[noun], **changes}.items()}
    problems = [(each.field, each.code) for each in contract.judge(7, row, NOW)]
    assert not (at_a_glance(noun, row) and problems), "the fast path accepts what the model refuses"
    return problems


@pytest.mark.parametrize("noun", GOOD)
def test_the_good_row_is_good_at_a_glance(noun: str) -> None:
    row = {name: value or None for name, value in GOOD[noun].items()}
    assert found(noun, {}) == []
    assert at_a_glance(noun, row)


@pytest.mark.parametrize("noun", GOOD)
@pytest.mark.parametrize("blank", [None, "", " ", "\u00a0", "\t \u3000"])
def test_a_missing_required_value_is_named(noun: str, blank: str | None) -> None:
    for column in CONTRACTS[noun].columns:
        if column.required:
            assert found(noun, {column.name: blank}) == [(column.name, "missing")]


@pytest.mark.parametrize("noun", GOOD)
def test_ids_are_text_whatever_they_look_like(noun: str) -> None:
    for column in CONTRACTS[noun].columns:
        if column.kind.describe().startswith("text") and column.name != "errorMessage":
            for value in ("00123", "NA", "null", "NaN", "1e5", "-"):
                assert found(noun, {column.name: value}) == []


@pytest.mark.parametrize("noun", GOOD)
def test_text_is_limited_in_characters_not_bytes(noun: str) -> None:
    for column in CONTRACTS[noun].columns:
        longest = getattr(column.kind, "longest", None)
        if longest and isinstance(column.kind, Text | Parts):
            assert found(noun, {column.name: "é" * longest}) == []
            assert found(noun, {column.name: "é" * (longest + 1)}) == [(column.name, "too_long")]


@pytest.mark.parametrize("noun", GOOD)
def test_all_bad_fields_of_a_row_are_named(noun: str) -> None:
    required = [each.name for each in CONTRACTS[noun].columns if each.required]
    assert found(noun, dict.fromkeys(required, "")) == [(name, "missing") for name in required]


@pytest.mark.parametrize("noun", GOOD)
@pytest.mark.parametrize(("text", "code"), [
    ("2026-07-14T18:00:00", "no_offset"), ("2026-07-14 18:00:00", "no_offset"), ("2026-07-14", "not_a_time"),
    ("2026-02-30T18:00:00Z", "no_such_time"), ("2026-02-29T18:00:00Z", "no_such_time"),
    ("2026-07-14T24:00:00Z", "no_such_time"), ("2026-07-14T13:14:60Z", "no_such_time"),
    ("2026-07-14T18:00:00+15:00", "no_such_time"), ("2026-1-2T3:4:5Z", "not_a_time"),
    ("+2026-07-14T18:00:00Z", "not_a_time"), ("10-15-2022 05:00:00PM", "not_a_time"),
    ("2026-07-14T18:00:00z", "not_a_time"), ("1784052000", "not_a_time"), ("２026-07-14T18:00:00Z", "not_a_time"),
])  # fmt: skip
def test_times_have_an_offset_and_exist(noun: str, text: str, code: str) -> None:
    for column in CONTRACTS[noun].columns:
        if column.kind.describe().startswith("date and time"):
            assert (column.name, code) in found(noun, {column.name: text})


@pytest.mark.parametrize(
    "text", ["2024-02-29T00:00:00Z", "2026-07-14T18:00:00.123456789+05:30", "2000-02-29T23:59:59-14:00"]
)
def test_unusual_times_that_exist_are_taken(text: str) -> None:
    assert found("enrollment_ack", {"processedDateTime": text}) == []


def test_the_end_of_all_days_is_a_time_even_west_of_greenwich() -> None:
    assert found("enrollment_sync", {"endDateTime": "9999-12-31T23:59:59-05:00"}) == []


@pytest.mark.parametrize("text", ["NaN", "nan", "inf", "-inf", "Infinity", "1e5", "1E-5", "0x1", "1_000", "1,000", "1.",
                                  ".", "+1", " 1", "1 ", "--1", "\u0663", "1\n"])  # fmt: skip
@pytest.mark.parametrize(("noun", "name"), [
    ("device_score", "deviceScore"), ("device_score", "activationCost"), ("load_forecast", "TotalKwReductionAvg"),
    ("load_forecast", "KwReduction2"), ("kwh_avoided", "TotalKwh"), ("kwh_avoided", "KwhSaved2"),
    ("kw_drop", "MaxKwDrop"), ("kw_drop", "KwDrop2"),
])  # fmt: skip
def test_numbers_are_plain_decimals(noun: str, name: str, text: str) -> None:
    assert found(noun, {name: text}) == [(name, "not_a_number")]


@pytest.mark.parametrize(("text", "codes"), [
    ("999999999999.999999", []), ("-999999999999.999999", []), ("1000000000000", ["out_of_range"]),
    ("0.0000001", ["too_precise"]), ("0.1000000000", []), ("0000000000000001.5", []), (".5", []), ("-0", []),
])  # fmt: skip
def test_a_score_fits_decimal_18_6(text: str, codes: list[str]) -> None:
    assert found("device_score", {"deviceScore": text}) == [("deviceScore", code) for code in codes]


@pytest.mark.parametrize(("noun", "name"), [
    ("device_score", "activationCost"), ("device_score", "burnRate"), ("kwh_avoided", "TotalKwh"),
])  # fmt: skip
@pytest.mark.parametrize(("text", "codes"), [
    ("0.3333333", []), ("123456789012345678.123456789012", []), ("1" * 19, ["out_of_range"]),
    ("0.1234567890123", ["too_precise"]), ("0.1234567890120000", []), ("00000000000000000001.5", []),
])  # fmt: skip
def test_a_number_without_agreed_precision_has_thirty_digits(noun: str, name: str, text: str, codes: list[str]) -> None:
    assert found(noun, {name: text}) == [(name, code) for code in codes]


@pytest.mark.parametrize(("noun", "total", "part", "text"), [
    ("kwh_avoided", "TotalKwhSavedForPeriod", "KwhSaved1", "5.0000000001"),
    ("kw_drop", "MaxKwDrop", "KwDrop3", "20.123456789012"),
])  # fmt: skip
def test_interval_values_may_have_twelve_decimals_also_on_the_fast_path(
    noun: str, total: str, part: str, text: str
) -> None:
    changes: Change = {part: text, total: text if noun == "kw_drop" else GOOD[noun][total]}
    assert found(noun, changes) == []
    row = {name: value or None for name, value in {**GOOD[noun], **changes}.items()}
    assert at_a_glance(noun, row)
    assert [code for _, code in found(noun, {part: "1.0000000000001"})][:1] == ["too_precise"]


def test_a_forecast_keeps_four_decimals() -> None:
    assert found("load_forecast", {"KwReduction1": "1.80001"}) == [("KwReduction1", "too_precise")]


@pytest.mark.parametrize("name", ["activationCost", "burnRate", "successfulParticipations", "participationLimit",
                                  "daysSinceLastEvent", "daysInCycle"])  # fmt: skip
def test_costs_and_counts_are_not_negative(name: str) -> None:
    assert found("device_score", {name: "-1"}) == [(name, "out_of_range")]
    assert found("device_score", {name: "0"}) == []


@pytest.mark.parametrize(
    "name", ["successfulParticipations", "participationLimit", "daysSinceLastEvent", "daysInCycle"]
)
@pytest.mark.parametrize(("text", "codes"), [
    ("1.0", ["not_an_integer"]), ("1e1", ["not_an_integer"]), ("2147483647", []), ("2147483648", ["out_of_range"]),
    ("0000000000000000000000001", []), ("9" * 5000, ["out_of_range"]),
])  # fmt: skip
def test_counts_are_whole_numbers(name: str, text: str, codes: list[str]) -> None:
    assert found("device_score", {name: text}) == [(name, code) for code in codes]


@pytest.mark.parametrize(("text", "codes"), [
    ("2026-07-15T12:00:00Z", []), ("2026-07-15T12:00:01Z", ["future"]), ("2026-07-15T12:00:00.1Z", ["future"]),
    ("2026-07-15T14:00:00+02:00", []), ("2026-07-15T14:00:01+02:00", ["future"]), ("2026-07-15T06:59:59-05:00", []),
    ("2026-07-15T07:00:01-05:00", ["future"]),
])  # fmt: skip
def test_a_score_is_not_calculated_in_the_future(text: str, codes: list[str]) -> None:
    assert found("device_score", {"calculationDateTime": text}) == [("calculationDateTime", code) for code in codes]


@pytest.mark.parametrize(("noun", "name", "good"), [
    ("device_score", "availabilityFlag", "Y N"), ("enrollment_sync", "action", "ENROLL UNENROLL"),
    ("enrollment_sync", "status", "ACTIVE INACTIVE"), ("enrollment_sync", "initialLoadFlag", "F1IL F1IC"),
    ("enrollment_ack", "ackStatus", "SUCCESS ERROR"),
    ("event_outcome", "outcome", "SUCCESS OVERRIDE NON_RESPONSIVE REJECTED ERROR CANCELLED"),
    ("load_forecast", "IntervalSize(Seconds)", "3600"),
])  # fmt: skip
def test_codes_are_of_the_list_letter_for_letter(noun: str, name: str, good: str) -> None:
    for value in good.split():
        assert found(noun, {name: value}) == []
    bad = (
        ["60", "7200"] if noun == "load_forecast" else [good.split()[0].lower(), "DEVICE_CHANGE", good.split()[0] + " "]
    )
    for value in bad:
        code = "out_of_range" if value == "7200" else "not_in_list"
        assert found(noun, {name: value}) == [(name, code)]


@pytest.mark.parametrize("noun", ["enrollment_sync", "enrollment_ack"])
def test_sync_request_ids_are_digits_with_their_zeros(noun: str) -> None:
    assert found(noun, {"syncRequestId": "00000000000001"}) == []
    assert found(noun, {"syncRequestId": "1" * 15}) == [("syncRequestId", "too_long")]
    for text in ("12a", "-1", "1.0", "\u0663", "1 "):
        assert found(noun, {"syncRequestId": text}) == [("syncRequestId", "not_digits")]


def test_unenroll_needs_an_end_that_is_not_before_the_start() -> None:
    assert found("enrollment_sync", {"endDateTime": ""}) == []
    assert found("enrollment_sync", {"action": "UNENROLL", "endDateTime": ""}) == [("endDateTime", "missing")]
    assert found("enrollment_sync", {"endDateTime": GOOD["enrollment_sync"]["startDateTime"]}) == []
    early = {"endDateTime": "2026-07-14T04:59:59Z"}
    assert found("enrollment_sync", early) == [("endDateTime", "end_before_start")]


def test_an_error_needs_a_message_number_and_may_leave_the_category_out() -> None:
    assert found("enrollment_ack", {"messageCategory": ""}) == []
    assert found("enrollment_ack", {"messageNumber": ""}) == [("messageNumber", "missing")]
    assert found("enrollment_ack", {"messageNumber": "", "ackStatus": "SUCCESS"}) == []


@pytest.mark.parametrize("name", ["messageCategory", "messageNumber"])
def test_message_numbers_are_within_five_digits(name: str) -> None:
    assert found("enrollment_ack", {name: "-99999"}) == found("enrollment_ack", {name: "99999"}) == []
    assert found("enrollment_ack", {name: "100000"}) == found("enrollment_ack", {name: "-100000"})
    assert found("enrollment_ack", {name: "100000"}) == [(name, "out_of_range")]


def test_each_message_parameter_is_limited_by_itself() -> None:
    assert found("enrollment_ack", {"messageParameters": "|".join(["x" * 2000] * 3)}) == []
    assert found("enrollment_ack", {"messageParameters": "a|" + "x" * 2001}) == [("messageParameters", "too_long")]


@pytest.mark.parametrize("outcome", ["SUCCESS", "OVERRIDE"])
def test_taking_part_needs_both_times(outcome: str) -> None:
    for name in ("participationStartDateTime", "participationEndDateTime"):
        assert found("event_outcome", {"outcome": outcome, name: ""}) == [(name, "missing")]


@pytest.mark.parametrize("outcome", ["NON_RESPONSIVE", "REJECTED", "ERROR", "CANCELLED"])
def test_not_taking_part_needs_no_times(outcome: str) -> None:
    none: Change = {"participationStartDateTime": "", "participationEndDateTime": ""}
    assert found("event_outcome", {"outcome": outcome, **none}) == []
    assert found("event_outcome", {"outcome": outcome, "participationEndDateTime": ""}) == []


def test_participation_does_not_end_before_it_starts() -> None:
    name = "participationEndDateTime"
    assert found("event_outcome", {name: "2026-07-14T18:00:00Z"}) == []
    assert found("event_outcome", {name: "2026-07-14T17:59:59Z"}) == [(name, "end_before_start")]
    assert found("event_outcome", {name: "2026-07-14T18:30:00+01:00"}) == [(name, "end_before_start")]


def test_a_reservation_has_both_times_or_none() -> None:
    start, end = "reservationStartDateTime", "reservationEndDateTime"
    assert found("device_reservation", {start: "", end: ""}) == []
    assert found("device_reservation", {start: ""}) == [(start, "missing")]
    assert found("device_reservation", {end: ""}) == [(end, "missing")]


def test_a_reservation_ends_after_it_starts() -> None:
    name = "reservationEndDateTime"
    assert found("device_reservation", {name: "2026-07-14T18:00:01Z"}) == []
    for text in (
        "2026-07-14T18:00:00Z",
        "2026-07-14T18:00:00.000Z",
        "2026-07-14T13:00:00-05:00",
        "2020-01-01T00:00:00Z",
    ):
        assert found("device_reservation", {name: text}) == [(name, "end_before_start")]


def test_a_long_error_message_is_taken() -> None:
    assert found("event_outcome", {"errorMessage": "x" * 100_000}) == []


INTERVALS = ["load_forecast", "kwh_avoided", "kw_drop"]
FIRST = {"load_forecast": "KwReduction", "kwh_avoided": "KwhSaved", "kw_drop": "KwDrop"}
TIMES = {
    "load_forecast": ("ForecastStartTime", "ForecastEndTime"),
    "kwh_avoided": ("ActualStartTime", "ActualEndTime"),
    "kw_drop": ("ActualStartTime", "ActualEndTime"),
}


@pytest.mark.parametrize("noun", INTERVALS)
def test_an_interval_row_ends_after_it_starts(noun: str) -> None:
    start, end = TIMES[noun]
    for text in (GOOD[noun][start], "2020-01-01T00:00:00Z"):
        assert (end, "end_before_start") in found(noun, {end: text})


@pytest.mark.parametrize("noun", INTERVALS)
def test_the_interval_size_divides_the_time(noun: str) -> None:
    end = TIMES[noun][1]
    text = GOOD[noun][end].replace(":00:00-", ":00:01-").replace(":30:00-", ":30:01-")
    assert found(noun, {end: text}) == [("IntervalSize(Seconds)", "interval_count")]


@pytest.mark.parametrize("noun", INTERVALS)
def test_a_value_after_the_last_interval_is_refused(noun: str) -> None:
    last = [name for name in GOOD[noun] if name.startswith(FIRST[noun])][-1]
    start, end = TIMES[noun]
    shorter = {end: GOOD[noun][start].replace("T14:", "T15:"), last: "0"}
    assert found(noun, shorter) == [(last, "interval_count")]


@pytest.mark.parametrize("noun", INTERVALS)
def test_more_intervals_than_columns_are_refused(noun: str) -> None:
    later = {TIMES[noun][1]: GOOD[noun][TIMES[noun][1]].replace("-14T", "-15T").replace("-13T", "-14T")}
    assert [code for _, code in found(noun, later)] == ["interval_count"]


def test_kwh_avoided_allows_no_gap() -> None:
    for number in (1, 3, 8):
        name = f"KwhSaved{number}"
        assert found("kwh_avoided", {name: ""}) == [(name, "interval_count")]


def test_blanks_in_kw_drop_and_forecast_are_missing_intervals() -> None:
    assert found("kw_drop", {"KwDrop1": ""}) == []
    assert found("load_forecast", {"KwReduction3": "", "TotalKwReductionAvg": "0.9"}) == []


@pytest.mark.parametrize("noun", ["kw_drop", "load_forecast"])
def test_a_row_without_any_interval_is_refused(noun: str) -> None:
    names = [name for name in GOOD[noun] if name.startswith(FIRST[noun])]
    total = CONTRACTS[noun].layout.total  # type: ignore[attr-defined]
    assert found(noun, {**dict.fromkeys(names, ""), total: "0"}) == [(names[0], "interval_count")]


@pytest.mark.parametrize(("total", "good"), [("33.08", True), ("32.92", True), ("33.081", False), ("32.919", False)])
def test_kwh_saved_add_up_to_the_total_within_rounding(total: str, good: bool) -> None:
    wrong = [("TotalKwhSavedForPeriod", "sum_mismatch")]
    assert found("kwh_avoided", {"TotalKwhSavedForPeriod": total}) == ([] if good else wrong)


@pytest.mark.parametrize(("text", "good"), [("20", True), ("20.000000", True), ("20.01", False), ("8.00", False)])
def test_max_kw_drop_is_the_largest_interval(text: str, good: bool) -> None:
    assert found("kw_drop", {"MaxKwDrop": text}) == ([] if good else [("MaxKwDrop", "max_mismatch")])


@pytest.mark.parametrize(("text", "good"), [("0.901", True), ("0.899", True), ("0.9011", False), ("0.8989", False)])
def test_the_forecast_average_is_the_mean_of_what_is_there(text: str, good: bool) -> None:
    wrong = [("TotalKwReductionAvg", "average_mismatch")]
    assert found("load_forecast", {"TotalKwReductionAvg": text}) == ([] if good else wrong)


def test_a_forecast_is_made_before_it_begins() -> None:
    same = {"ForecastRunTime": GOOD["load_forecast"]["ForecastStartTime"]}
    assert found("load_forecast", same) == []
    later = {"ForecastRunTime": "2026-07-14T19:00:01Z"}
    assert found("load_forecast", later) == [("ForecastRunTime", "end_before_start")]


@pytest.mark.parametrize(("start", "end", "count"), [
    ("2026-03-08T00:00:00-06:00", "2026-03-09T00:00:00-05:00", 23),
    ("2026-11-01T00:00:00-05:00", "2026-11-02T00:00:00-06:00", 25),
])  # fmt: skip
def test_a_day_of_clock_change_has_23_or_25_hours(start: str, end: str, count: int) -> None:
    values: Change = {f"KwReduction{number}": "1" for number in range(1, count + 1)}
    row: Change = {"ForecastStartTime": start, "ForecastEndTime": end, "TotalKwReductionAvg": "1",
                   "ForecastRunTime": "2026-01-01T00:00:00Z", **values}  # fmt: skip
    assert found("load_forecast", row) == []
    full = {name: value or None for name, value in {**GOOD["load_forecast"], **row, "ForecastRunTime": start}.items()}
    assert at_a_glance("load_forecast", full), "also on the fast path"
    values[f"KwReduction{count + 1}"] = "1"
    assert [code for _, code in found("load_forecast", {**row, **values})] == ["interval_count"]


def test_every_code_that_is_said_is_explained() -> None:
    for noun, good in GOOD.items():
        for name in good:
            for value in ("", "x" * 3000, "-1", "2026-07-14T18:00:00", "é"):
                for _, code in found(noun, {name: value}):
                    assert CODES[code].about == "row"


@pytest.mark.parametrize("noun", CONTRACTS)
def test_every_column_is_described(noun: str) -> None:
    for column in CONTRACTS[noun].documented:
        assert len(column.description) > 5
        assert column.kind.describe()
    assert set(CONTRACTS[noun].key) <= set(CONTRACTS[noun].lacking([])), "a header has all columns of the key"
