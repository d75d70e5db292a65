"""What a hostile file cannot do: fill memory with rows, fields or problems, or the disk with their list."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from drbridge.checks import Limits, keys, spool
from drbridge.checks.text import stretches
from drbridge.contracts import CONTRACTS
from tests.unit.checks import reference
from tests.unit.checks.helpers import NOW, check
from tests.unit.good_rows import csv_of

HEADER = csv_of("device_score")


@pytest.mark.parametrize("row", [b"\n", b'""""\n', b'"a""b"\n', b"x\n", b'"\n",\n'])
def test_short_rows_come_in_stretches_of_bearable_number(row: bytes) -> None:
    sizes = [len(each.records) for each in stretches(iter([HEADER + row * 150_000]), ",", Limits())]
    assert max(sizes) <= 100_000
    assert sum(sizes) == 150_001


def test_short_fields_come_in_stretches_of_bearable_number() -> None:
    wide = b"a," * 999 + b"a\n"
    made = list(stretches(iter([wide * 2000]), ",", Limits()))
    assert max(len(each.records) for each in made) <= Limits().block_fields // 1000
    assert sum(len(each.records) for each in made) == 2000


def test_a_field_of_line_breaks_is_read_whatever_a_stretch_may_hold(tmp_path: Path) -> None:
    text = '"' + "\n" * 5000 + '"'
    data = csv_of("event_outcome", {"errorMessage": text}, {"nicId": "2"})
    checked = check("event_outcome", data, tmp_path, limits=Limits(block_rows=10, block_fields=10))
    assert checked.accepted == {2, 5003}


def listed(path: Path) -> list[tuple[str, str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return [(each["line"], each["code"], each["row"]) for each in csv.DictReader(file)]


def test_a_refused_row_is_shown_once_however_much_is_wrong_with_it(tmp_path: Path) -> None:
    data = csv_of("device_score", {"availabilityFlag": "X", "deviceScore": "x", "nicId": ""})
    checked = check("device_score", data, tmp_path)
    row = data.splitlines()[1].decode()
    assert listed(checked.report.rejects_path) == [
        ("2", "missing", row), ("2", "not_a_number", ""), ("2", "not_in_list", ""),
    ]  # fmt: skip


def test_a_row_lists_twenty_problems_and_how_many_more_there_are(tmp_path: Path) -> None:
    data = csv_of("kw_drop", {f"KwDrop{number}": "x" for number in range(1, 9)})
    wide = data.replace(b"KwDrop8", ",".join(f"KwDrop{number}" for number in range(8, 31)).encode())
    checked = check("kw_drop", wide.rstrip(b"\n") + b",x" * 22 + b"\n", tmp_path)
    problems = list(checked.report.problems())
    assert len(problems) == 21
    assert (problems[-1].code, problems[-1].text) == ("and_more", "10 more things are wrong with this row")


def test_the_list_of_problems_ends_and_says_how_many_it_leaves_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "MOST_BYTES", 1000)
    checked = check("device_score", HEADER + b"\n" * 1000 + b"x\n", tmp_path)
    report = checked.report
    assert (report.rejected, report.problem_counts) == (1001, {"field_count": 1001})
    *shown, last = report.problems()
    assert report.rejects_path.stat().st_size < 1200
    assert [each.line for each in shown] == list(range(2, 2 + len(shown)))
    assert (last.line, last.code) == (2 + len(shown), "and_more")
    assert last.text.startswith(f"{1001 - len(shown)} more problems")


def test_conflicts_join_a_list_that_ends_without_making_it_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "MOST_BYTES", 1000)
    data = csv_of("device_score", {}, {"deviceScore": "1"}) + b"\n" * 1000
    report = check("device_score", data, tmp_path).report
    *shown, last = report.problems()
    assert report.problem_counts == {"field_count": 1000, "conflicting_duplicate": 2}
    assert [each.line for each in shown[:3]] == [2, 3, 4]
    assert last.text.startswith(f"{1002 - len(shown)} more problems")
    assert [path.name for path in tmp_path.glob("*.csv")].count("problems.csv") == 0, "the first list is removed"


def test_a_key_that_comes_more_often_than_fits_into_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "PIECE", 100)
    rows = [{"nicId": "1"}] * 350 + [{"nicId": "2", "recordId": str(number)} for number in range(250)]
    report = check("event_outcome", csv_of("event_outcome", *rows), tmp_path).report
    assert (report.accepted, report.duplicate, report.rejected) == (1, 349, 250)
    lines = report.excluded["line"].to_numpy()
    assert np.array_equal(lines, np.arange(3, 602))
    first = next(report.problems())
    assert (first.line, first.text) == (
        352,
        "the same key with other values is on lines 353, 354, 355, 356, 357 and 244 more",
    )


def test_hundreds_of_columns_are_read_as_row_by_row(tmp_path: Path) -> None:
    def row(point: str, values: list[str], end: str = "05:00:00Z", total: str = "150.00") -> str:
        times = f"2026-07-13T00:00:00Z,2026-07-13T{end},60"
        return f"E1,Economic,10000000000001,{point},{times},622.58,{total},{','.join(values)}\n"

    half, short = ["0.50"] * 300, ["0.50"] * 100 + [""] * 200
    names = ",".join(f"KwhSaved{number}" for number in range(1, 301))
    good = [row("1", half), row("2", short, "01:40:00Z", "50.00"), row("3", ['"0.50"', *half[1:]])]
    bad = [row("4", short), row("5", [*half[:299], "x"]), row("6", half, total="9.00"), row("7", half[1:])]
    data = f"{csv_of('kwh_avoided').decode().partition('KwhSaved1')[0]}{names}\n{''.join(good + bad)}".encode()
    checked, plain = check("kwh_avoided", data, tmp_path), reference.check(CONTRACTS["kwh_avoided"], data, NOW)
    assert checked.accepted == plain.accepted == {2, 3, 4}
    assert checked.rejected == plain.rejected
    assert checked.frame["KwhSaved100", "KwhSaved101", "KwhSaved300"].rows() == [
        ("0.50", "0.50", "0.50"), ("0.50", None, None), ("0.50", "0.50", "0.50"),
    ]  # fmt: skip
