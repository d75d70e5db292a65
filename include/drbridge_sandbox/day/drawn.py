"""Large files with planted faults, drawn in blocks so that millions of rows are quick to write."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from random import Random

import numpy as np
import polars as pl

from drbridge_sandbox.day.planting import Layout, Plan, plan, some_bad, text_of
from drbridge_sandbox.day.prediction import Planted

BLOCK = 100_000
Block = Callable[[int, int], bytes]
"""Makes so many good rows from row `first` on."""


@dataclass(frozen=True)
class Drawn:
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


def write_drawn(path: Path, layout: Layout, rows: int, block: Block, random: Random, bad_share: float) -> Drawn:
    """Writes a file of so many rows, some of them planted faults, and says which.

    Args:
        rows: in the file, repeated ones included; at least 20.
        bad_share: how many of them are spoiled, at least three rows.
    """
    planned = plan(random, rows, some_bad(rows, bad_share))
    header = text_of(layout.header)
    whole, good = sha256(header), sha256(header)
    writer = _Writer(planned, layout)
    with path.open("wb") as file:
        file.write(header)
        for first in range(0, planned.rows, BLOCK):
            for data, accepted in writer.marked(first, block(first, min(BLOCK, planned.rows - first))):
                file.write(data)
                whole.update(data)
                if accepted:
                    good.update(data)
        tail = b"".join(writer.copies())
        file.write(tail)
        whole.update(tail)
    refused, duplicates = tuple(sorted(writer.refused)), tuple(writer.duplicates)
    accepted_rows = rows - len(refused) - len(duplicates)
    return Drawn(rows, accepted_rows, refused, duplicates, whole.hexdigest(), good.hexdigest())


class _Writer:
    """Puts the planned faults into blocks of good rows; row n stands in line n + 2."""

    def __init__(self, planned: Plan, layout: Layout) -> None:
        self.plan, self.layout = planned, layout
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
            bad, kind = self.layout.spoiled(fields, self.plan.bad[row])
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
                yield text_of(self.layout.contradiction(fields))
            else:
                self.duplicates.append(line)
                yield text_of(fields)


def looked_up(words: tuple[str, ...] | list[str], numbers: np.ndarray) -> pl.Expr:
    """The word for each number."""
    return pl.lit(pl.Series(words, dtype=pl.String).gather(numbers))
