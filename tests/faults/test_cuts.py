"""A slice of the cuts: some sides, a few points each. `python -m tests.faults.cuts` tries all of them."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from drbridge_sandbox.sandbox import Sandbox
from tests.faults.cuts import SIDES, Side, cut_road, points, try_point
from tests.faults.journeys import Ended

SLICE = [side for side in SIDES if not side.name.endswith(("of a source", "in parts"))]


@pytest.mark.parametrize("side", SLICE, ids=str)
def test_a_line_that_is_cut_loses_nothing_and_doubles_nothing(side: Side, sandbox: Sandbox, tmp_path: Path) -> None:
    with cut_road(side, sandbox, tmp_path) as (road, proxy):
        some = random.Random(f"20260714 {side}").sample(points(proxy, range(3, 20)), 1)
        ends = {str(point): try_point(road, proxy, point) for point in some}
    assert set(ends.values()) <= {Ended(), None}, ends
    assert Ended() in ends.values(), "not one line was cut"
