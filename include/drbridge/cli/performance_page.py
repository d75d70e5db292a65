"""The page of what `make bench` measured, made from the figures that it kept."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

DATA = Path(__file__).resolve().parents[3] / "docs" / "performance.json"
OPENING = """# Performance

What drbridge does to a file or a message, timed beside tools that do a part of it: copying (rclone, OpenSSH, Airflow's
own operators), checking (pandas with pydantic, polars), calling (Airflow's `HttpOperator`, bare aiohttp).

Ours is always the product's own path, a brick's `execute()` as an Airflow worker calls it: sha256, a ledger whose every
commit is on the disk before the next step, and, where the rows of a file are agreed, all of them checked and what is
needed of them staged. The others check and note nothing, unless the table says so. Runs alternate, so that what
disturbs the machine disturbs all of them; figures are medians.
"""
NOTHING_YET = "\nNo run has been kept yet. `make bench` makes one, in less than half an hour.\n"


def performance_page() -> str:
    """The page as the kept figures make it."""
    return page_of(json.loads(DATA.read_text(encoding="utf-8"))) if DATA.exists() else OPENING + NOTHING_YET


def page_of(data: Mapping[str, Any]) -> str:
    """The page of one run of all benches.

    Args:
        data: when, where and on what it ran, and of each bench what it told.
    """
    benches = data["benches"]
    bars = sorted((bar for bench in benches for bar in bench["bars"]), key=lambda bar: bar["number"])
    about = [("machine", data["machine"]), ("date", data["at"][:10]), ("commit", data["commit"]),
             ("beside", ", ".join(f"{name} {version}" for name, version in data["versions"].items())),
             ("again", f"`{data['command']}` ({data['minutes']:.0f} minutes)")]  # fmt: skip
    failed = "".join(f"\n**`{name}` did not end as it must.**\n" for name in data["failed"])
    return "".join((
        OPENING, "\n", _table(("", ""), about), failed,
        "\n## What is asked, and what was measured\n\nA figure is how many times as fast ours is, unless it says s or "
        "MB, or what it is a share of.\n\n",
        _table(("bar", "work", "against", "figure", "asked", ""), map(_bar, bars)), *map(_bench, benches),
    ))  # fmt: skip


def _figure(value: float) -> str:
    """Three digits, or all before the point."""
    decimals = next((3 - size for size, limit in enumerate((1, 10, 100)) if abs(value) < limit), 0)
    return f"{value:,.{decimals}f}"


def _bar(bar: Mapping[str, Any]) -> tuple[str, ...]:
    asked = f"at {'most' if bar['is_most'] else 'least'} {bar['limit']:g}"
    holds = "holds" if bar["holds"] else "**does not hold**"
    return str(bar["number"]), bar["work"], bar["against"], _figure(bar["figure"]), asked, holds


def _bench(bench: Mapping[str, Any]) -> str:
    rows = (
        (name, str(run["runs"]), f"{run['seconds']:,.2f}", f"{run['rate']:,.1f}", f"{run['cpu_seconds']:,.1f}",
         f"{run['megabytes']:,.0f}")
        for name, run in bench["runs"].items()
    )  # fmt: skip
    head = ("", "runs", "seconds", f"{bench['unit']} a second", "CPU seconds", "peak MB")
    notes = "".join(f"* {note}\n" for note in bench["notes"])
    return f"\n## {bench['bench']}\n\n{bench['about']}\n\n    {bench['command']}\n\n{_table(head, rows)}" + (
        f"\n{notes}" if notes else ""
    )


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [tuple(head), *map(tuple, rows)]
    lines.insert(1, ("---",) * len(lines[0]))
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
