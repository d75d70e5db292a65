"""What all benches share: runs of us and of the others, alternating, and one way to tell what came of them.

A bench states what it compares as `Contest`s, each with a bar; `tell` prints the table and the JSON line, keeps the
line for `docs/performance.md`, and says whether every bar holds.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / ".drbridge" / "bench"
LOOK_EVERY_SECONDS = 0.05
LONG_SECONDS = 10.0


@dataclass(frozen=True)
class Run:
    """One run of one way of doing the work.

    Attributes:
        seconds: that the work took.
        work: how much was done, in the bench's unit (MB, rows, calls).
        cpu_seconds: of its process and its children.
        megabytes: the most memory that it held.
        told: what else it said.
    """

    seconds: float
    work: float
    cpu_seconds: float
    megabytes: float
    told: Mapping[str, Any] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        return self.work / self.seconds


@dataclass(frozen=True)
class Bar:
    """A ratio of rates, or a figure, and where it must lie.

    Attributes:
        number: of the bar in the list of what is asked.
        figure: what was measured, in the unit of the limit.
        limit: least, or most, that is asked.
    """

    number: int
    work: str
    against: str
    figure: float
    limit: float
    is_most: bool = False

    @property
    def holds(self) -> bool:
        return self.figure <= self.limit if self.is_most else self.figure >= self.limit


Part = tuple[dict[str, list[Run]], list[Bar], tuple[str, ...]]
"""What a part of a bench came to: its runs by name, its bars, and notes."""


def in_turn(parts: Iterable[Callable[[], Part]]) -> Part:
    """Runs the parts of a bench one after the other, and puts together what they came to."""
    runs: dict[str, list[Run]] = {}
    bars: list[Bar] = []
    notes: tuple[str, ...] = ()
    for part in parts:
        more_runs, more_bars, more_notes = part()
        runs, bars, notes = runs | more_runs, bars + more_bars, notes + more_notes
    return runs, bars, notes


def alternating(ways: Mapping[str, Callable[[], Run]], pairs: int, long_pairs: int = 1) -> dict[str, list[Run]]:
    """Runs each way so many times, one after the other, so that what disturbs the machine disturbs all of them.

    The first run of a way warms it up, and does not count; unless it is a long one: that counts.

    Args:
        long_pairs: how many times a way goes whose runs are long; at most one more than `pairs`.
    """
    runs = {name: [_told_of(name, way)] for name, way in ways.items()}
    short = [name for name in ways if runs[name][0].seconds < LONG_SECONDS]
    for name in short:
        runs[name].clear()
    for number in range(1, pairs + 1):
        for name, way in ways.items():
            if name in short or number < long_pairs:
                runs[name].append(_told_of(name, way))
    return runs


def _told_of(name: str, way: Callable[[], Run]) -> Run:
    run = way()
    print(f"  {name}: {run.seconds:.2f} s", file=sys.stderr, flush=True)
    return run


def ratio(ours: list[Run], theirs: list[Run]) -> float:
    """How many times as fast we are: the median over the pairs; where one of us ran only once, of the medians."""
    if len(ours) == len(theirs):
        return statistics.median(mine.rate / other.rate for mine, other in zip(ours, theirs, strict=True))
    return statistics.median(run.rate for run in ours) / statistics.median(run.rate for run in theirs)


def of_process(
    command: list[str], work: float, env: Mapping[str, str] | None = None, right: tuple[int, ...] = (0,)
) -> Run:
    """Runs a command; its time is that of the whole process unless it prints a JSON line with `seconds` of its own.

    Raises:
        SystemExit: it ended otherwise than it may.
    """
    started = time.perf_counter()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, ThreadPoolExecutor(1) as beside:
        process = subprocess.Popen(command, stdout=out, stderr=err, env={**os.environ, **(env or {})}, cwd=ROOT)
        peak = beside.submit(_peak, process.pid)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        text, errors = out.read().decode(), err.read().decode()
    if process.returncode not in right:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}\n{text[-2000:]}\n{errors[-4000:]}")
    told = _told(text)
    return Run(
        told.get("seconds", seconds), work, told.get("cpu_seconds", usage.ru_utime + usage.ru_stime),
        told.get("megabytes", peak.result()), told,
    )  # fmt: skip


def _peak(pid: int) -> float:
    """The most memory that a process had, in MB, looked at until it ends: what wait4 tells of it counts ours, too."""
    most = 0
    with suppress(OSError, StopIteration):
        while True:
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
            most = max(most, int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]))
            time.sleep(LOOK_EVERY_SECONDS)
    return most / 1024


def _told(text: str) -> dict[str, Any]:
    last = text.strip().rpartition("\n")[2]
    return json.loads(last) if last.startswith("{") else {}


def tell(bench: str, unit: str, runs: Mapping[str, list[Run]], bars: list[Bar], notes: tuple[str, ...] = ()) -> int:
    """Prints what was measured and keeps it; the exit code is 1 when a bar does not hold."""
    rows = {name: _summary(each) for name, each in runs.items()}
    width = max(map(len, rows))
    print(f"\n{bench}\n{'':{width}}  {'runs':>4}  {'seconds':>9}  {unit + '/s':>12}  {'CPU s':>7}  {'peak MB':>8}")
    for name, row in rows.items():
        print(
            f"{name:{width}}  {row['runs']:>4}  {row['seconds']:>9.2f}  {row['rate']:>12,.1f}"
            f"  {row['cpu_seconds']:>7.1f}  {row['megabytes']:>8.0f}"
        )
    for bar in bars:
        sign = "at most" if bar.is_most else "at least"
        print(f"bar {bar.number}: {bar.work} against {bar.against}: {bar.figure:.2f}, {sign} {bar.limit} is asked: "
              f"{'holds' if bar.holds else 'DOES NOT HOLD'}")  # fmt: skip
    for note in notes:
        print(note)
    told = {
        "bench": bench, "at": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine(), "unit": unit,
        "runs": rows, "bars": [asdict(bar) | {"holds": bar.holds} for bar in bars], "notes": notes,
    }  # fmt: skip
    print(json.dumps(told), flush=True)
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{bench}.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return 0 if all(bar.holds for bar in bars) else 1


def _summary(runs: list[Run]) -> dict[str, Any]:
    middle = {
        name: statistics.median(getattr(run, name) for run in runs)
        for name in ("seconds", "rate", "cpu_seconds", "megabytes")
    }
    return {"runs": len(runs), **middle}


def machine() -> str:
    """What the figures were taken on."""
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    memory = int(Path("/proc/meminfo").read_text().split()[1]) >> 20
    return (
        f"{os.cpu_count()} cores of {cpu}, {memory} GiB, Linux {platform.release()}, Python {platform.python_version()}"
    )
