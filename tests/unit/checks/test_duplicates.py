"""Rows with the same key: equal ones are counted, contradicting ones are all refused, by name."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from drbridge.checks import Limits
from drbridge.contracts import CONTRACTS
from drbridge.contracts.kinds import Instant
from tests.unit.checks import reference
from tests.unit.checks.helpers import check
from tests.unit.good_rows import GOOD, csv_of

OTHER_FIELD = {
    "device_score": {"deviceScore": "0.5"}, "enrollment_sync": {"status": "INACTIVE"},
    "enrollment_ack": {"messageNumber": "2"}, "event_outcome": {"outcome": "OVERRIDE"},
    "load_forecast": {"TotalKwReductionAvg": "0.9001"}, "kwh_avoided": {"TotalKwh": "76.00"},
    "kw_drop": {"MaxKwDrop": "20.0"}, "device_reservation": {"recordId": "2"},
    "network_location": {"feederId": "FDR-13"},
    "customer_contact": {"name": "MARIA EXAMPLE"}, "customer_service_point": {"postal": "123"},
    "customer_service_agreement": {"status": "30"}, "settlement_request": {"programCode": "WATER-HEATER"},
    "settlement_credit": {"amount": "-11.550"},
}  # fmt: skip


@pytest.mark.parametrize("noun", GOOD)
def test_an_equal_repeat_counts_as_duplicate(noun: str, tmp_path: Path) -> None:
    checked = check(noun, csv_of(noun, {}, {}, {}), tmp_path)
    report = checked.report
    assert (report.rows, report.accepted, report.rejected, report.duplicate) == (3, 1, 0, 2)
    assert report.verdict == "accepted"
    assert checked.accepted == {2}
    assert report.excluded.rows() == [(3, "duplicate"), (4, "duplicate")]
    assert checked.opened == 1, "the file is not opened again for duplicates"


@pytest.mark.parametrize("noun", GOOD)
def test_contradicting_rows_are_all_refused_and_name_each_other(noun: str, tmp_path: Path) -> None:
    checked = check(noun, csv_of(noun, {}, OTHER_FIELD[noun]), tmp_path)
    report = checked.report
    assert (report.rows, report.accepted, report.rejected, report.duplicate) == (2, 0, 2, 0)
    field = ", ".join(CONTRACTS[noun].key)
    assert checked.rejected == {line: {(field, "conflicting_duplicate")} for line in (2, 3)}
    assert [each.text.endswith(f"line {other}") for each, other in zip(report.problems(), (3, 2), strict=True)]
    assert report.excluded.rows() == [(2, "conflict"), (3, "conflict")]
    assert checked.opened == 2


def test_one_contradiction_takes_the_equal_ones_with_it(tmp_path: Path) -> None:
    checked = check("event_outcome", csv_of("event_outcome", {}, {}, {"recordId": "2"}, {"nicId": "other"}), tmp_path)
    assert checked.accepted == {5}
    assert sorted(checked.rejected) == [2, 3, 4]
    assert [each.text.split(" on ")[1] for each in checked.report.problems()] == [
        "lines 3, 4", "lines 2, 4", "lines 2, 3",
    ]  # fmt: skip


def test_refused_rows_take_no_part(tmp_path: Path) -> None:
    checked = check("event_outcome", csv_of("event_outcome", {}, {"outcome": "NO"}, {}), tmp_path)
    assert checked.accepted == {2}
    assert checked.report.duplicate == 1
    assert checked.rejected == {3: {("outcome", "not_in_list")}}


def test_the_same_text_quoted_or_not_is_equal(tmp_path: Path) -> None:
    data = csv_of("event_outcome", {}) + ",".join(f'"{value}"' for value in GOOD["event_outcome"].values()).encode()
    assert check("event_outcome", data + b"\n", tmp_path).report.duplicate == 1


def test_one_key_part_more_or_less_is_another_key(tmp_path: Path) -> None:
    data = csv_of(
        "event_outcome", {"stageId": "ab", "nicId": "c"}, {"stageId": "a", "nicId": "bc"},
        {"stageId": "c", "nicId": "ab"}, {"headEndSystemId": "44:61:32:aa:01", "nicId": "ECOBEE"},
    )  # fmt: skip
    assert check("event_outcome", data, tmp_path).report.accepted == 4


def test_problems_stay_in_the_order_of_lines_when_conflicts_join_them(tmp_path: Path) -> None:
    data = csv_of("event_outcome", {"outcome": "NO"}, {}, {"outcome": "X"}, {"recordId": "2"}, {"eventId": ""})
    checked = check("event_outcome", data, tmp_path)
    assert [each.line for each in checked.report.problems()] == [2, 3, 4, 5, 6]
    assert [each.line for each in checked.report.first_problems] == [2, 3, 4, 5, 6]
    rejects = checked.report.rejects_path.read_text().splitlines()
    assert ["9001" in line for line in rejects[1:]] == [True, True, True, True, False]
    assert checked.report.problem_counts == {"not_in_list": 2, "conflicting_duplicate": 2, "missing": 1}


def test_duplicates_are_found_across_blocks_and_in_numbers(tmp_path: Path) -> None:
    changes = [{"nicId": str(number % 500), "recordId": "7" if number != 777 else "8"} for number in range(2000)]
    data = csv_of("event_outcome", *changes)
    checked = check("event_outcome", data, tmp_path, chunk=1000, limits=Limits(block_bytes=5000))
    report = checked.report
    assert len(checked.blocks) > 10
    assert (report.accepted, report.duplicate, report.rejected) == (499, 499 * 3, 4)
    assert sorted(checked.rejected) == [2 + 277, 2 + 777, 2 + 1277, 2 + 1777]


def test_many_rows_in_conflict_name_a_few_and_count_the_rest(tmp_path: Path) -> None:
    changes = [{"recordId": str(number)} for number in range(20)]
    first = next(check("event_outcome", csv_of("event_outcome", *changes), tmp_path).report.problems())
    assert first.text.endswith("lines 3, 4, 5, 6, 7 and 14 more")


def test_a_key_with_a_time_is_the_moment_however_it_is_written(tmp_path: Path) -> None:
    starts = ["2026-07-14T14:00:00-05:00", "2026-07-14T19:00:00Z", "2026-07-15T00:30:00.000+05:30"]
    data = csv_of("load_forecast", *({"ForecastStartTime": start} for start in starts))
    checked = check("load_forecast", data, tmp_path)
    field = "ProgramId, SPId, ForecastStartTime"
    assert checked.rejected == {line: {(field, "conflicting_duplicate")} for line in (2, 3, 4)}
    assert [each.text.split(" is on ")[1] for each in checked.report.problems()] == [
        "lines 3, 4", "lines 2, 4", "lines 2, 3",
    ]  # fmt: skip


@pytest.mark.parametrize(("one", "other", "same"), [
    ("2026-07-14T19:00:00Z", "2026-07-14T19:00:01Z", False),
    ("2026-07-14T19:00:00Z", "2026-07-14T19:00:00-00:00", True),
    ("2026-07-14T19:00:00.5Z", "2026-07-14T14:00:00.500000000-05:00", True),
    ("2026-07-14T19:00:00.5Z", "2026-07-14T19:00:00.500000001Z", False),
    ("2026-07-14T19:00:00.05Z", "2026-07-14T19:00:00.5Z", False),
    ("2026-07-14T19:00:00Z", "2026-07-15T09:00:00+14:00", True),
    ("1000-01-01T00:00:00Z", "0999-12-31T23:00:00-01:00", True),
    ("0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00+13:59", False),
    ("9999-12-31T23:59:59-05:00", "9999-12-31T22:59:59-06:00", True),
])  # fmt: skip
def test_two_times_are_one_key_when_they_are_one_moment(one: str, other: str, same: bool) -> None:
    kind = Instant()
    assert (reference.moment(one) == reference.moment(other)) is same
    told = pl.DataFrame({"time": [one, other]}).select(kind.identity(pl.col("time")))["time"]
    assert (told[0] == told[1]) is same
    assert told.null_count() == 0
