"""What the benches share: how often each way runs, what is compared, whose memory is told."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"


@pytest.fixture
def side(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCH))
    return importlib.import_module("side")


def test_short_ways_are_warmed_up_and_run_in_turn_and_long_ones_run_once(side: Any) -> None:
    order: list[str] = []

    def way(name: str, seconds: float) -> Any:
        return lambda: order.append(name) or side.Run(seconds, 100, 1.0, 1.0)

    runs = side.alternating({"ours": way("ours", 9.0), "theirs": way("theirs", 11.0), "other": way("other", 1.0)}, 2)
    assert order == ["ours", "theirs", "other", "ours", "other", "ours", "other"]
    assert {name: len(each) for name, each in runs.items()} == {"ours": 2, "theirs": 1, "other": 2}


def test_a_ratio_is_the_median_over_pairs_or_of_medians(side: Any) -> None:
    def runs(*seconds: float) -> list[Any]:
        return [side.Run(each, 12, 1.0, 1.0) for each in seconds]

    assert side.ratio(runs(1, 2, 1), runs(2, 2, 4)) == 2.0
    assert side.ratio(runs(1, 2, 3), runs(6)) == 3.0


def test_the_memory_told_is_that_of_the_process_not_of_the_bench(side: Any) -> None:
    held = bytearray(150_000_000)
    run = side.of_process([sys.executable, "-S", "-c", "import time; time.sleep(0.3)"], 1)
    assert 1 < run.megabytes < 60
    assert held


def test_a_bar_holds_on_its_own_side_of_the_limit(side: Any) -> None:
    assert side.Bar(1, "", "", 1.3, 1.2).holds
    assert not side.Bar(6, "", "", 1.3, 1.2, is_most=True).holds
