"""Every fault of files and stores that is listed has a test of its own that is there."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.faults.named_files import FAULTS

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_listed_fault_has_a_test(fault: str) -> None:
    path, *inside, name = FAULTS[fault].split("::")
    scope: ast.AST = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    for each in inside:
        scope = next(
            node for node in ast.iter_child_nodes(scope) if isinstance(node, ast.ClassDef) and node.name == each
        )
    assert name in [node.name for node in ast.iter_child_nodes(scope) if isinstance(node, ast.FunctionDef)]
