"""The page of figures: what it says is what the benches told, and nothing is left out."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from drbridge.cli import performance_page as page

ROOT = Path(__file__).resolve().parents[2]
RUN = {"runs": 5, "seconds": 4.25, "rate": 235.4, "cpu_seconds": 5.1, "megabytes": 212.0}
BARS = [
    {"number": 6, "work": "growth of memory, MB", "against": "120", "figure": 131.0, "limit": 120.0, "is_most": True,
     "holds": False},
    {"number": 1, "work": "relay of 1,000 MB", "against": "rclone", "figure": 1.347, "limit": 1.2, "is_most": False,
     "holds": True},
]  # fmt: skip
DATA: dict[str, Any] = {
    "at": "2026-11-26T20:00:00+00:00", "machine": "2 cores", "commit": "abc", "versions": {"rclone": "v1.60.1"},
    "command": "make bench", "minutes": 25.7, "failed": [],
    "benches": [{
        "bench": "relay", "about": "A file is relayed.", "command": "make bench-relay", "unit": "MB",
        "notes": ["tuned"], "runs": {"drbridge": RUN, "rclone": RUN | {"runs": 3}}, "bars": BARS,
    }],
}  # fmt: skip


def rows(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in re.findall(r"^\|.+\|$", text, re.M)]


def test_every_bar_is_on_the_page_in_order_and_whether_it_holds() -> None:
    found = rows(page.page_of(DATA))
    bars = [row for row in found if row[0].isdigit()]
    assert bars == [
        ["1", "relay of 1,000 MB", "rclone", "1.35", "at least 1.2", "holds"],
        ["6", "growth of memory, MB", "120", "131", "at most 120", "**does not hold**"],
    ]


def test_every_run_and_note_is_on_the_page_with_the_command_that_repeats_it() -> None:
    text = page.page_of(DATA)
    assert ["drbridge", "5", "4.25", "235.4", "5.1", "212"] in rows(text)
    assert ["rclone", "3", "4.25", "235.4", "5.1", "212"] in rows(text)
    assert all(words in text for words in ("* tuned\n", "    make bench-relay\n", "A file is relayed.", "MB a second"))
    about = {row[0]: row[1] for row in rows(text) if len(row) == 2}
    assert about["again"] == "`make bench` (26 minutes)"
    assert (about["date"], about["commit"], about["beside"]) == ("2026-11-26", "abc", "rclone v1.60.1")


def test_a_bench_that_broke_off_is_told() -> None:
    assert "did not end as it must" not in page.page_of(DATA)
    assert "**`rest` did not end as it must.**" in page.page_of(DATA | {"failed": ["rest"]})


def test_without_a_run_the_page_has_no_figures(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(page, "DATA", tmp_path / "none.json")
    assert rows(page.performance_page()) == []
    assert "`make bench`" in page.performance_page()


def test_the_figures_kept_are_of_all_benches() -> None:
    names = set(re.findall(r'^    "(\w+)": \(', (ROOT / "bench" / "every.py").read_text(encoding="utf-8"), re.M))
    assert names == {"relay", "check", "rest", "outcome", "latency", "parse"}
    if page.DATA.exists():
        kept = json.loads(page.DATA.read_text(encoding="utf-8"))
        assert {each["bench"] for each in kept["benches"]} | set(kept["failed"]) == names
