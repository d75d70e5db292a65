"""Each fault that we name has a test that is there."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.faults.named_http import FAULTS
from tests.faults.safeguards_http import SAFEGUARDS

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("node_id", sorted(set(FAULTS.values())))
def test_the_test_of_a_named_fault_is_there(node_id: str) -> None:
    file, _, name = node_id.partition("::")
    found = ast.walk(ast.parse((ROOT / file).read_text(encoding="utf-8")))
    assert name in {each.name for each in found if isinstance(each, ast.FunctionDef)}


def test_every_safeguard_is_watched_by_a_test_of_a_named_fault() -> None:
    assert {each.fault for each in SAFEGUARDS} <= FAULTS.keys()
