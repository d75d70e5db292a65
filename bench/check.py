"""How fast `drbridge check` is beside pandas and pydantic over the same file, and whether both say the same.

    python bench/check.py --rows 5000000

Draws a device score file with planted faults, has it checked by `drbridge check` and by the plain way (pandas reads it
in chunks, pydantic looks at every row), each in a process of its own, and compares verdicts, lines and reasons. Fails
when they differ, when the ratio is below 6, or when `drbridge check` ever holds 400 MB or more.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

LEAST_RATIO = 6
MOST_MEGABYTES = 400
CHUNK_ROWS = 50_000
NOUN = "device_score"
KEY = ("nicId", "headEndSystem", "programCode")


@dataclass(frozen=True)
class Run:
    """What a process took, and what it printed."""

    seconds: float
    megabytes: float
    said: dict[str, Any]


def measured(command: list[str]) -> Run:
    """Runs a command and takes its time and the most memory it ever held."""
    started = time.perf_counter()
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(command, stdout=out)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        said = json.loads(out.read() or b"{}")
    if process.returncode not in (0, 1, 2):
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return Run(seconds, usage.ru_maxrss / 1024, said)


def drbridge(file: Path) -> list[str]:
    script = Path(sys.executable).with_name("drbridge")
    start = [str(script)] if script.exists() else [sys.executable, "-c", "from drbridge.cli import app; app()"]
    return [*start, "check", NOUN, str(file), "--json"]


def plainly(file: Path, rows: int) -> dict[str, Any]:
    """The plain way: pandas for the file, the model for each row, a dictionary for the keys."""
    from drbridge.contracts import CONTRACTS

    model, now = CONTRACTS[NOUN].model, datetime.now(UTC)
    problems: list[tuple[int, str, str]] = []
    first_line: dict[int, int] = {}
    texts: dict[int, int] = {}
    again: dict[int, list[tuple[int, int]]] = {}
    line, accepted = 1, 0
    for record, text_line in records(file, rows):
        line += 1
        found = judged(model, record, text_line, now)
        problems += [(line, field, code) for field, code in found]
        if found:
            continue
        accepted += 1
        key, text = hash(tuple(record[name] for name in KEY)), hash(tuple(record.values()))
        if first_line.setdefault(key, line) == line:
            texts[key] = text
        else:
            again.setdefault(key, [(first_line[key], texts[key])]).append((line, text))
    duplicate = 0
    for same in again.values():
        if len({text for _, text in same}) == 1:
            duplicate += len(same) - 1
        else:
            problems += [(each, ", ".join(KEY), "conflicting_duplicate") for each, _ in same]
            accepted -= len(same)
    return {
        "rows": line - 1, "accepted": accepted - duplicate, "duplicate": duplicate, "problems": sorted(problems),
    }  # fmt: skip


def records(file: Path, rows: int) -> Iterator[tuple[dict[str, Any], str]]:
    """What pandas makes of each row, and its line: pandas fills a short row up and says nothing."""
    import pandas as pd

    with (
        pd.read_csv(file, chunksize=CHUNK_ROWS, dtype=str, keep_default_na=False, nrows=rows or None) as chunks,
        file.open(encoding="utf-8") as lines,
    ):
        next(lines)
        for chunk in chunks:
            yield from zip(chunk.to_dict("records"), lines, strict=False)


def judged(model: Any, record: dict[str, Any], text: str, now: datetime) -> list[tuple[str, str]]:
    from pydantic import ValidationError

    if text.count(",") != len(record) - 1:
        return [("", "field_count")]
    try:
        model.model_validate(record, context={"now": now})
    except ValidationError as error:
        found = []
        for each in error.errors(include_url=False, include_input=False):
            flaws = each.get("ctx", {}).get("flaws", [])
            found += [(flaw.field, flaw.code) for flaw in flaws] or [(str(each["loc"][0]), each["type"])]
        return found
    return []


def differences(ours: dict[str, Any], plain: dict[str, Any], planted: set[int], loop_rows: int) -> list[str]:
    """What the two ways, or they and the drawn file, do not agree upon."""
    wrong = []
    told = sorted((each["line"], each["field"], each["code"]) for each in ours["problems"])
    lines = {line for line, _, _ in told}
    if lines != planted:
        wrong.append(f"lines refused but not planted, or planted but not refused: {sorted(lines ^ planted)[:10]}")
    if loop_rows:
        # A share of the file knows nothing of rows further down that repeat or contradict its own.
        told = [each for each in told if each[0] <= loop_rows + 1 and each[2] != "conflicting_duplicate"]
        same = [each for each in plain["problems"] if each[2] != "conflicting_duplicate"]
        return wrong + ([] if told == [tuple(each) for each in same] else ["the two ways differ in their share"])
    for count in ("rows", "accepted", "duplicate"):
        if ours[count] != plain[count]:
            wrong.append(f"{count}: {ours[count]} and {plain[count]}")
    if told != [tuple(each) for each in plain["problems"]]:
        wrong.append("the two ways give different reasons")
    return wrong


def table(runs: dict[str, tuple[int, Run]]) -> None:
    print(f"{'':24}{'rows':>12}{'seconds':>10}{'rows/s':>12}{'peak MB':>10}")
    for name, (rows, run) in runs.items():
        print(f"{name:24}{rows:>12,}{run.seconds:>10.1f}{rows / run.seconds:>12,.0f}{run.megabytes:>10.0f}")


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", type=int, default=5_000_000)
    options.add_argument("--loop-rows", type=int, default=0, help="rows for the plain way; 0: all of them")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--plain", type=Path, help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.plain:
        json.dump(plainly(given.plain, given.loop_rows), sys.stdout)
        return 0

    from drbridge_sandbox.day.scores import write_scores

    with tempfile.TemporaryDirectory(prefix="drbridge-bench-") as folder:
        file = Path(folder) / "SDCSE_0001_00.csv"
        drawn = write_scores(file, given.rows, given.seed)
        print(
            f"{file.stat().st_size / 1e6:,.0f} MB, {given.rows:,} rows, {len(drawn.refused):,} planted bad", flush=True
        )
        ours = measured(drbridge(file))
        share = min(given.loop_rows, given.rows)
        plain = measured([sys.executable, __file__, "--plain", str(file), "--loop-rows", str(share)])
    loop_rows = share or given.rows
    table({"drbridge check": (given.rows, ours), "pandas + pydantic rows": (loop_rows, plain)})
    ratio = (given.rows / ours.seconds) / (loop_rows / plain.seconds)
    wrong = differences(ours.said, plain.said, {each.line for each in drawn.refused}, share)
    if ours.said["sha256"] != drawn.sha:
        wrong.append("the sha256 is not that of the file")
    if ratio < LEAST_RATIO:
        wrong.append(f"only {ratio:.1f} times as fast, {LEAST_RATIO} are asked for")
    if ours.megabytes >= MOST_MEGABYTES:
        wrong.append(f"{ours.megabytes:.0f} MB held, fewer than {MOST_MEGABYTES} are asked for")
    for each in wrong:
        print(f"WRONG: {each}")
    compared = "the whole file" if not share else f"the first {share:,} rows"
    print(f"{ratio:.1f} times as fast; verdicts, lines and reasons compared over {compared}")
    print(json.dumps({
        "bench": "check", "rows": given.rows, "seconds": round(ours.seconds, 2),
        "rows_per_second": round(given.rows / ours.seconds), "peak_mb": round(ours.megabytes),
        "plain_rows": loop_rows, "plain_seconds": round(plain.seconds, 2), "plain_peak_mb": round(plain.megabytes),
        "ratio": round(ratio, 1), "compared": compared, "same": not wrong,
    }))  # fmt: skip
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
