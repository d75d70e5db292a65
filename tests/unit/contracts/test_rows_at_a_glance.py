"""Rows that are matched whole: no delimiter, and no number of fields, misleads."""

from __future__ import annotations

import pytest

from drbridge.contracts import CONTRACTS
from tests.unit.contracts.glances import matched
from tests.unit.good_rows import GOOD


@pytest.mark.parametrize("noun", GOOD)
@pytest.mark.parametrize(("mark", "is_sure"), [
    (";", True), ("#", True), ("\t", True), ("~", True), (".", False), (":", False), ("-", False), ("+", False),
    ("0", False), ("T", False),
])  # fmt: skip
def test_a_delimiter_that_values_may_hold_leaves_no_row_sure(noun: str, mark: str, is_sure: bool) -> None:
    row = GOOD[noun]
    assert matched(CONTRACTS[noun], list(row), mark, mark.join(row.values())) == [is_sure]


def test_two_runs_of_intervals_are_each_matched_to_their_end() -> None:
    names = ["KwhSaved1", "KwhSaved2", "ProgramId", "KwhSaved3", "KwhSaved4", "EventId", "IntervalSize(Seconds)"]
    good = ["1,2,10,3,4,E,900", "1,,10,,,E,900"]
    bad = ["1,2,10,3,x,E,900", "1,x,10,3,4,E,900", "1,2,10,3,4,,900", "1,2,10,3,E,900", "1,2,3,10,3,4,E,900"]
    assert matched(CONTRACTS["kwh_avoided"], names, ",", *good, *bad) == [True] * 2 + [False] * 5


def test_a_row_of_ten_thousand_intervals_is_matched_and_one_of_ten_thousand_unlike_fields_is_not() -> None:
    contract = CONTRACTS["kwh_avoided"]
    names = [*GOOD["kwh_avoided"], *(f"KwhSaved{number}" for number in range(5, 10_001))]
    row = ",".join([*GOOD["kwh_avoided"].values(), *["1"] * (10_004 - len(GOOD["kwh_avoided"]) + 5)])
    names = names[: row.count(",") + 1]
    assert matched(contract, names, ",", row, f"{row}x", f"{row},1") == [True, False, False]
    mixed = [name for number in range(1, 10_001) for name in (f"KwhSaved{number}", "ProgramId")]
    assert matched(contract, mixed, ",", ",".join(["1"] * 20_000)) == [False]
