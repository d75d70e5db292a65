"""The plain way to check a file: pandas reads it in chunks, pydantic looks at every row, a dictionary knows the keys.

    python bench/plain.py device_score SDCSE_0001_00.csv 500000

Prints a JSON line: how long it took, and what it found. The rows may be only the first so many.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

CHUNK_ROWS = 50_000


def plainly(noun: str, file: Path, rows: int) -> dict[str, Any]:
    """Rows, accepted and duplicate ones, and every problem as line, field and code."""
    from drbridge.contracts import CONTRACTS

    contract, now = CONTRACTS[noun], datetime.now(UTC)
    problems: list[tuple[int, str, str]] = []
    first_line: dict[int, int] = {}
    texts: dict[int, int] = {}
    again: dict[int, list[tuple[int, int]]] = {}
    line, accepted = 1, 0
    for record, text_line in records(file, rows):
        line += 1
        found = judged(contract, record, text_line, now)
        problems += [(line, field, code) for field, code in found]
        if found:
            continue
        accepted += 1
        key, text = hash(tuple(record[name] for name in contract.key)), hash(tuple(record.values()))
        if first_line.setdefault(key, line) == line:
            texts[key] = text
        else:
            again.setdefault(key, [(first_line[key], texts[key])]).append((line, text))
    duplicate = 0
    for same in again.values():
        if len({text for _, text in same}) == 1:
            duplicate += len(same) - 1
        else:
            problems += [(each, ", ".join(contract.key), "conflicting_duplicate") for each, _ in same]
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


def judged(contract: Any, record: dict[str, Any], text: str, now: datetime) -> list[tuple[str, str]]:
    if text.count(",") != len(record) - 1:
        return [("", "field_count")]
    return [(each.field, each.code) for each in contract.judge(0, record, now)]


def main() -> None:
    noun, file, rows = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    started = time.perf_counter()
    found = plainly(noun, file, rows)
    print(json.dumps({"seconds": time.perf_counter() - started, "found": found}))


if __name__ == "__main__":
    main()
