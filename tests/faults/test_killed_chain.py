"""A chain of files killed at some of its points; `python -m tests.faults.search chain` kills it at all of them."""

from __future__ import annotations

import pytest

from tests.faults.search.invariants import Violation
from tests.faults.search.killed import MOST_POINTS, sweep
from tests.faults.variants import without


def test_chain_that_is_killed_at_any_point_is_made_whole_by_the_next_run() -> None:
    assert sweep(range(0, MOST_POINTS, 12)) >= 8


@pytest.mark.parametrize(
    ("name", "points"),
    [("source renamed too early", range(1)), ("rows outside the transaction", range(26, 40))],
)
def test_kills_catch_a_chain_without_one_safeguard(name: str, points: range) -> None:
    with without(name), pytest.raises(Violation):
        sweep(points)
