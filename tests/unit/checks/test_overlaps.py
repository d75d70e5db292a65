"""Periods of one thing do not overlap: the later one is refused, by its line, in flat memory."""

from __future__ import annotations

import tracemalloc
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from drbridge.checks import overlaps
from drbridge.checks.overlaps import Overlap, Overlaps
from drbridge.contracts import CONTRACTS
from drbridge.contracts.across import Periods
from tests.unit.checks.helpers import check
from tests.unit.good_rows import csv_of

START, END = "effectiveStartDateTime", "effectiveEndDateTime"
PERIODS = CONTRACTS["network_location"].periods
assert PERIODS


def period(start: str, end: str = "", **others: str) -> dict[str, str | None]:
    return {START: f"2026-{start}T00:00:00Z", END: f"2026-{end}T00:00:00Z" if end else "", **others}


def refused(tmp_path: Path, *rows: dict[str, str | None]) -> list[int]:
    checked = check("network_location", csv_of("network_location", *rows), tmp_path)
    assert all(codes == {(START, "overlap")} for codes in checked.rejected.values())
    assert checked.report.excluded.rows() == [(line, "overlap") for line in sorted(checked.rejected)]
    assert checked.report.accepted + len(checked.rejected) == len(rows)
    return sorted(checked.rejected)


@pytest.mark.parametrize(("rows", "lines"), [
    ([period("01-01", "02-01"), period("02-01", "03-01")], []),
    ([period("01-01", "02-02"), period("02-01", "03-01")], [3]),
    ([period("02-01", "03-01"), period("01-01", "02-02")], [2]),
    ([period("01-01"), period("05-01", "06-01")], [3]),
    ([period("05-01", "06-01"), period("06-01")], []),
    ([period("01-01", "12-01"), period("02-01", "03-01"), period("04-01", "05-01")], [3, 4]),
    ([period("01-01", "02-15"), period("02-01", "12-01"), period("03-01", "04-01")], [3]),
    ([period("01-01"), period("02-01", externalServicePointId="2")], []),
    ([period("01-01"), period("02-01", changeAction="D")], []),
    ([period("01-01", changeAction="D"), period("02-01")], []),
])  # fmt: skip
def test_a_row_that_begins_before_an_earlier_one_ends_is_refused(
    tmp_path: Path, rows: list[dict[str, str | None]], lines: list[int]
) -> None:
    assert refused(tmp_path, *rows) == lines


def test_the_reason_names_the_other_line_and_the_rejects_hold_the_row(tmp_path: Path) -> None:
    data = csv_of("network_location", period("01-01"), period("05-01"))
    report = check("network_location", data, tmp_path).report
    (problem,) = report.problems()
    assert (problem.line, problem.text) == (3, "its period begins before that of line 2 ends")
    assert data.decode().splitlines()[2] in report.rejects_path.read_text()


def test_offsets_count_and_fractions_too(tmp_path: Path) -> None:
    first = {START: "2026-01-01T00:00:00-05:00", END: "2026-01-01T05:00:00.5Z"}
    assert refused(tmp_path / "1", first, {START: "2026-01-01T05:00:00.5Z", END: ""}) == []
    assert refused(tmp_path / "2", first, {START: "2026-01-01T05:00:00.49Z", END: ""}) == [3]


def test_rows_that_are_not_taken_claim_nothing(tmp_path: Path) -> None:
    rows = [period("01-01"), period("01-01", feederId="other"), period("02-01"), period("02-01")]
    report = check("network_location", csv_of("network_location", *rows), tmp_path).report
    assert report.excluded.rows() == [(2, "conflict"), (3, "conflict"), (5, "duplicate")]
    assert report.accepted == 1


def test_a_file_without_the_column_of_ends_has_periods_for_ever(tmp_path: Path) -> None:
    rows = [{END: None, START: f"2026-0{month}-01T00:00:00Z"} for month in (1, 2)]
    assert refused(tmp_path, *rows) == [3]


def test_every_row_of_one_thing_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overlaps, "PIECE", 7)
    claims = Overlaps(PERIODS, tmp_path)
    days = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=number) for number in range(100)]
    periods = [(f"{day:%Y-%m-%dT%H:%M:%SZ}", f"{day + timedelta(days=1, hours=number == 40):%Y-%m-%dT%H:%M:%SZ}")
               for number, day in enumerate(days)]  # fmt: skip
    claims.add(claims.entries(frame(periods[::-1]), np.arange(1_000, 1_100, dtype=np.uint64)))
    assert claims.resolve(pl.Series([], dtype=pl.UInt32).to_numpy()) == [Overlap(59, earlier_line=60, row=1_058)]
    assert list(tmp_path.iterdir()) == []


def test_memory_stays_flat_when_all_rows_are_about_one_thing(tmp_path: Path) -> None:
    claims, rows = Overlaps(PERIODS, tmp_path), 1_000_000
    whole = pl.select(
        (pl.datetime(2000, 1, 1) + pl.duration(minutes=pl.int_range(rows))).dt.to_string("%Y-%m-%dT%H:%M:%SZ")
    ).to_series()
    for first in range(0, rows - 1, 100_000):
        starts = whole[first : min(first + 100_000, rows - 1)]
        ends = whole[first + 1 : first + 1 + starts.len()]
        begun = frame(list(zip(starts, ends, strict=True)), first)
        claims.add(claims.entries(begun, np.zeros(starts.len(), np.uint64)))
    tracemalloc.start()
    assert claims.resolve(pl.Series([], dtype=pl.UInt32).to_numpy()) == []
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 40_000_000, "a million claims are 44 MB, and none are held"


def frame(times: list[tuple[str, str]], first: int = 0) -> pl.DataFrame:
    made = pl.DataFrame(times, schema={START: pl.String, END: pl.String}, orient="row")
    return made.with_columns(
        pl.lit("1").alias("externalServicePointId"), pl.lit("A").alias("changeAction"),
        pl.int_range(first + 1, first + 1 + pl.len(), dtype=pl.UInt32).alias("line"),
    )  # fmt: skip


def test_what_counts_is_said_by_the_contract() -> None:
    never = Periods(PERIODS.of, START, END, pl.lit(False))
    assert never.claimed(frame([("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z")])).height == 0
