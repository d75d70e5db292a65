"""Device scores: the file with a row for every device, drawn in blocks so that millions are quick to write."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from random import Random

import numpy as np
import polars as pl

from drbridge_sandbox.day import ids
from drbridge_sandbox.day.planting import Layout, Plan, Spoil, plan, some_bad, text_of
from drbridge_sandbox.day.prediction import Planted

BLOCK = 100_000
HEADER = (
    "deviceId", "nicId", "headEndSystem", "programSubscriptionId", "programCode", "servicePointId",
    "calculationDateTime", "deviceScore", "availabilityFlag",
)  # fmt: skip
LAYOUT = Layout(
    HEADER,
    (
        Spoil("too_few_fields"),
        Spoil("missing", "nicId", ""),
        Spoil("not_a_number", "deviceScore", "high"),
        Spoil("nan", "deviceScore", "NaN"),
        Spoil("infinity", "deviceScore", "-Infinity"),
        Spoil("too_precise", "deviceScore", "0.1234567"),
        Spoil("no_offset", "calculationDateTime", "2026-07-13T02:10:00"),
        Spoil("no_such_time", "calculationDateTime", "2026-02-30T02:10:00Z"),
        Spoil("future", "calculationDateTime", "2099-01-01T00:00:00Z"),
        Spoil("not_in_list", "availabilityFlag", "MAYBE"),
        Spoil("too_long", "deviceId", "1234567890123"),
    ),
    other=("deviceScore", "7.000000"),
)


@dataclass(frozen=True)
class Scores:
    """What was written.

    Attributes:
        accepted_sha: of the header and the rows that must be accepted.
    """

    rows: int
    accepted: int
    refused: tuple[Planted, ...]
    duplicates: tuple[int, ...]
    sha: str
    accepted_sha: str


def write_scores(path: Path, devices: int, seed: int, bad_share: float = 0.001, day: date | None = None) -> Scores:
    """Writes a score file with one row for each device, some of them planted faults, and says which.

    Args:
        devices: rows in the file, repeated ones included; at least 20.
        bad_share: how many of them are spoiled, at least three rows.
        day: of the calculation; yesterday if it is not said.
    """
    day = day or (datetime.now(UTC) - timedelta(days=1)).date()
    planned = plan(Random(f"scores {seed} {day}"), devices, some_bad(devices, bad_share))
    header = text_of(HEADER)
    whole, good = sha256(header), sha256(header)
    writer = _Writer(planned)
    with path.open("wb") as file:
        file.write(header)
        for first in range(0, planned.rows, BLOCK):
            block = _block(first, min(BLOCK, planned.rows - first), seed, day)
            for data, accepted in writer.marked(first, block):
                file.write(data)
                whole.update(data)
                if accepted:
                    good.update(data)
        tail = b"".join(writer.copies())
        file.write(tail)
        whole.update(tail)
    refused, duplicates = tuple(sorted(writer.refused)), tuple(writer.duplicates)
    accepted_rows = devices - len(refused) - len(duplicates)
    return Scores(devices, accepted_rows, refused, duplicates, whole.hexdigest(), good.hexdigest())


class _Writer:
    """Puts the planned faults into blocks of good rows; row n stands in line n + 2."""

    def __init__(self, planned: Plan) -> None:
        self.plan = planned
        self.touched = sorted({*planned.bad, *planned.repeated, *planned.contradicted})
        self.refused: list[Planted] = []
        self.duplicates: list[int] = []
        self._kept: list[tuple[list[str], bool]] = []

    def marked(self, first: int, block: bytes) -> Iterator[tuple[bytes, bool]]:
        """The block in pieces, each with whether its rows must be accepted."""
        start = 0
        lines: list[bytes] | None = None
        for row in self._touched_in(first, block):
            lines = lines or block.splitlines(keepends=True)
            yield b"".join(lines[start : row - first]), True
            yield self._faulty(row, lines[row - first])
            start = row - first + 1
        yield (b"".join(lines[start:]) if lines else block), True

    def _touched_in(self, first: int, block: bytes) -> list[int]:
        last = first + block.count(b"\n")
        low, high = np.searchsorted(self.touched, [first, last])
        return self.touched[low:high]

    def _faulty(self, row: int, line: bytes) -> tuple[bytes, bool]:
        fields = line.decode().rstrip("\n").split(",")
        if row in self.plan.bad:
            bad, kind = LAYOUT.spoiled(fields, self.plan.bad[row])
            self.refused.append(Planted(row + 2, kind))
            return text_of(bad), False
        contradicted = row in self.plan.contradicted
        self._kept.append((fields, contradicted))
        if contradicted:
            self.refused.append(Planted(row + 2, "contradicted"))
        return line, not contradicted

    def copies(self) -> Iterator[bytes]:
        """The repeated and contradicting rows."""
        for line, (fields, contradicted) in enumerate(self._kept, self.plan.rows + 2):
            if contradicted:
                self.refused.append(Planted(line, "contradicts"))
                yield text_of(LAYOUT.contradiction(fields))
            else:
                self.duplicates.append(line)
                yield text_of(fields)


def _block(first: int, rows: int, seed: int, day: date) -> bytes:
    random = np.random.default_rng([seed, day.toordinal(), first])
    device = np.arange(first, first + rows)
    pairs = [f"{value:02x}" for value in range(256)]
    nic = pl.concat_str(
        [pl.lit("44:61"), *(_looked_up(pairs, device >> shift & 255) for shift in (24, 16, 8, 0))], separator=":"
    )
    seconds = [f"{day}T02:{second // 60:02d}:{second % 60:02d}Z" for second in range(3600)]
    micros = pl.lit(pl.Series(random.integers(0, 1_000_000, rows))).cast(pl.String).str.zfill(6)
    number = pl.lit(pl.Series(device)).cast(pl.String)
    frame = pl.select(
        deviceId=number.str.zfill(12),
        nicId=nic,
        headEndSystem=_looked_up(ids.HEAD_ENDS, device % len(ids.HEAD_ENDS)),
        programSubscriptionId=pl.concat_str(pl.lit("2"), number.str.zfill(13)),
        programCode=_looked_up([code for _, code in ids.PROGRAMS], device % len(ids.PROGRAMS)),
        servicePointId=number.str.zfill(12),
        calculationDateTime=_looked_up(seconds, random.integers(0, 3600, rows)),
        deviceScore=pl.concat_str(pl.lit("0."), micros),
        availabilityFlag=_looked_up(("Y", "N"), (random.random(rows) < 0.07).astype(int)),
    )
    buffer = BytesIO()
    frame.write_csv(buffer, include_header=False, quote_style="never")
    return buffer.getvalue()


def _looked_up(words: tuple[str, ...] | list[str], numbers: np.ndarray) -> pl.Expr:
    return pl.lit(pl.Series(words, dtype=pl.String).gather(numbers))
