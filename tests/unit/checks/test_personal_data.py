"""What is told about customer files never holds what stands in them; columns of the utility's own pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from drbridge.contracts import CONTRACTS, Contract
from tests.unit.checks.helpers import Checked, check
from tests.unit.good_rows import GOOD, csv_of

PERSONAL = [contract for contract in CONTRACTS.values() if contract.personal]
SECRET = "Zq7Secret"


def told(checked: Checked) -> str:
    texts = [each.text + each.field for each in (*checked.report.problems(), *checked.report.warnings())]
    return " ".join([*texts, str(checked.report.refusal or ""), getattr(checked.report.refusal, "fix", "")])


def test_customer_contracts_are_personal() -> None:
    assert [contract.noun for contract in PERSONAL] == [noun for noun in CONTRACTS if noun.startswith("customer")]


@pytest.mark.parametrize("contract", PERSONAL, ids=lambda contract: contract.noun)
@pytest.mark.parametrize("value", [SECRET, SECRET * 100, f"{SECRET}\n", f'{SECRET}"x', f"2026-02-30T00:00:00Z{SECRET}"])
def test_no_value_is_ever_told(contract: Contract, value: str, tmp_path: Path) -> None:
    names = list(GOOD[contract.noun])
    rows = [{name: '"' + value.replace('"', '""') + '"'} for name in names]
    raw = [{name: value} for name in names]
    data = csv_of(contract.noun, {}, *rows, *raw, dict.fromkeys(names, f'"{SECRET}"'), {"externalId": f"1,{SECRET}"})
    checked = check(contract, data, tmp_path)
    assert len(checked.rejected) > 3
    assert SECRET not in told(checked)
    assert SECRET in checked.report.rejects_path.read_text(), "the rows themselves are in rejects, and only there"


@pytest.mark.parametrize("contract", PERSONAL, ids=lambda contract: contract.noun)
def test_contradictions_and_broken_files_tell_no_value(contract: Contract, tmp_path: Path) -> None:
    last = list(GOOD[contract.noun])[-1]
    twice = check(contract, csv_of(contract.noun, {last: SECRET}, {last: f"{SECRET}2"}), tmp_path / "twice")
    assert SECRET not in told(twice)
    broken = csv_of(contract.noun, {last: SECRET})
    for number, data in enumerate([
        broken[:-40], broken.rstrip(b"\n")[: -len(SECRET) - 1], broken + f'"{SECRET}'.encode(), broken.split(b"\n")[1],
        f"externalId,{SECRET},{SECRET}\n".encode(), f"{SECRET},{SECRET}\n".encode(), broken + b"\xff\n",
    ]):  # fmt: skip
        assert SECRET not in told(check(contract, data, tmp_path / str(number)))


def test_the_reason_says_what_is_agreed(tmp_path: Path) -> None:
    checked = check("customer_contact", csv_of("customer_contact", {"lifeSupportSensitiveLoad": "yes"}), tmp_path)
    (problem,) = checked.report.problems()
    assert problem.text.endswith("agreed is: one of true, false")


def test_columns_of_the_utilitys_own_pass_whatever_they_are_called(tmp_path: Path) -> None:
    header, row = csv_of("customer_contact", {}).decode().splitlines()
    more = ["line", "record", "raw", "reason", "", "x" * 300, "middle name"]
    data = f"{header},{','.join(more)}\n{row},1,2,3,4,5,6,7\n{row.replace('0012345678', '2')},,,,,,,\n".encode()
    checked = check("customer_contact", data, tmp_path)
    assert (checked.report.verdict, checked.report.accepted) == ("accepted", 2)
    assert checked.report.columns == (*header.split(","), *more)
    assert b"".join(raw for block in checked.blocks for raw in block.raw()) == data.split(b"\n", 1)[1]


def test_rows_that_differ_in_such_a_column_only_contradict_each_other(tmp_path: Path) -> None:
    header, row = csv_of("customer_contact", {}).decode().splitlines()
    checked = check("customer_contact", f"{header},x\n{row},1\n{row},2\n".encode(), tmp_path)
    assert sorted(checked.rejected) == [2, 3]


def test_a_column_of_the_key_must_be_in_the_header(tmp_path: Path) -> None:
    data = csv_of("customer_contact", {"changeDateTime": None})
    assert check("customer_contact", data, tmp_path).refusal == "missing_column"
