"""Rules of network locations, settlement requests and credits: a good row with one thing changed."""

from __future__ import annotations

import pytest

from tests.unit.contracts.test_row_rules import found
from tests.unit.good_rows import GOOD


def test_an_initial_load_deletes_nothing() -> None:
    assert found("network_location", {"changeAction": "D"}) == []
    wrong = {"changeAction": "D", "initialLoadFlag": "F1IL"}
    assert found("network_location", wrong) == [("changeAction", "not_allowed_here")]


def test_a_location_holds_for_some_time() -> None:
    same = {"effectiveEndDateTime": GOOD["network_location"]["effectiveStartDateTime"]}
    assert found("network_location", same) == [("effectiveEndDateTime", "end_before_start")]
    assert found("network_location", {"effectiveEndDateTime": ""}) == []


IDS = ("externalContactId", "externalAccountId", "externalMeteredServiceId")


def test_a_settlement_request_names_somebody() -> None:
    for name in IDS:
        assert found("settlement_request", {**dict.fromkeys(IDS, ""), name: "1"}) == []
    assert found("settlement_request", dict.fromkeys(IDS, "")) == [(", ".join(IDS), "missing")]


@pytest.mark.parametrize("noun", ["settlement_request", "settlement_credit"])
@pytest.mark.parametrize(("text", "code"), [
    ("2026-7-1", "not_a_day"), ("07/01/2026", "not_a_day"), ("2026-07-01T00:00:00Z", "not_a_day"),
    ("2026-02-29", "no_such_time"), ("2026-13-01", "no_such_time"), ("0000-01-01", "no_such_time"),
    ("２026-07-01", "not_a_day"), ("2025-06-30", "end_before_start"),
])  # fmt: skip
def test_days_exist_and_are_in_order(noun: str, text: str, code: str) -> None:
    assert found(noun, {"endDate": text}) == [("endDate", code)]


@pytest.mark.parametrize(("text", "codes"), [
    ("CAD", []), ("usd", ["not_in_list"]), ("US", ["not_in_list"]), ("$", ["not_in_list"]), ("USD ", ["not_in_list"]),
])  # fmt: skip
def test_a_currency_has_three_capital_letters(text: str, codes: list[str]) -> None:
    assert found("settlement_credit", {"currency": text}) == [("currency", code) for code in codes]


@pytest.mark.parametrize(("text", "codes"), [
    ("-11.55", []), ("0.10", []), ("0.1000", []), ("0.101", ["too_precise"]), ("1e2", ["not_a_number"]),
    ("9999999999999.99", []), ("10000000000000", ["out_of_range"]), ("1,000.00", ["not_a_number"]),
])  # fmt: skip
def test_an_amount_is_exact_to_the_cent(text: str, codes: list[str]) -> None:
    assert found("settlement_credit", {"amount": text}) == [("amount", code) for code in codes]
