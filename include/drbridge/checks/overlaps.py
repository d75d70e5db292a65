"""Finding periods that overlap in a file of any size, in flat memory: claims wait on disk and are sorted there."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from drbridge.checks.partitions import Entries, Partitions, by_partition
from drbridge.contracts.across import Periods

PIECE = 200_000
# Big-endian and without signs, so that entries sort as the bytes they are: by thing, then by start, then by line.
ENTRY = np.dtype([("high", ">u8"), ("low", ">u8"), ("start", ">u8"), ("line", ">u4"), ("end", ">u8"), ("row", ">u8")])
AS_BYTES = f"S{ENTRY.itemsize}"
FROM_SIGNED = np.uint64(1 << 63)
Lines = npt.NDArray[np.uint32]


@dataclass(frozen=True)
class Overlap:
    """A row that is not taken, for its period overlaps that of an earlier one.

    Attributes:
        row: its hash.
    """

    line: int
    earlier_line: int
    row: int


class Overlaps:
    """The periods that all accepted rows of one file claim.

    Args:
        periods: what is claimed, and for what.
        folder: where claims wait.
    """

    def __init__(self, periods: Periods, folder: Path) -> None:
        self.periods = periods
        self._seeds = [secrets.randbits(63) for _ in range(2)]
        self._waiting = Partitions(folder)

    def entries(self, frame: pl.DataFrame, rows: npt.NDArray[np.uint64]) -> Entries:
        """What is noted of the claims of accepted rows (`line` and the columns of the file).

        Args:
            rows: their hashes.
        """
        claims = self.periods.claimed(frame)
        things = claims.select_seq(self.periods.of)
        entries = np.empty(claims.height, ENTRY)
        entries["high"] = things.hash_rows(seed=self._seeds[0]).to_numpy()
        entries["low"] = things.hash_rows(seed=self._seeds[1]).to_numpy()
        for name in ("start", "end"):
            entries[name] = claims[name].to_numpy().astype(np.uint64) ^ FROM_SIGNED
        entries["line"] = lines = claims["line"].to_numpy()
        entries["row"] = rows[np.searchsorted(frame["line"].to_numpy(), lines)]
        return by_partition(entries)

    def add(self, entries: Entries) -> None:
        """Keeps what was noted of some rows."""
        self._waiting.write(entries)

    def close(self) -> None:
        """Removes what waits on disk."""
        self._waiting.close()

    def resolve(self, excluded: Lines) -> list[Overlap]:
        """Rows whose period begins before that of an earlier one, by start, has ended; in the order of lines.

        Args:
            excluded: lines that are not taken anyway; they claim nothing.
        """
        found = [each for path in self._waiting.paths() for each in _overlaps_in(path, excluded)]
        self.close()
        return sorted(found, key=lambda overlap: overlap.line)


def _overlaps_in(path: Path, excluded: Lines) -> Iterator[Overlap]:
    """Goes through the sorted claims, and one by one only through those on things where any two touch."""
    if not path.stat().st_size:
        return
    entries = np.memmap(path, ENTRY, "r+")
    entries.view(AS_BYTES).sort()
    things = _disputed(entries)
    if not things.size:
        return
    thing, end, taken = None, 0, 0
    for start in range(0, entries.size, PIECE):
        piece = entries[start : start + PIECE]
        asked = np.isin(piece["high"], things) & ~np.isin(piece["line"], excluded)
        for high, low, begins, line, ends, row in piece[asked].tolist():
            if (high, low) == thing and begins < end:
                yield Overlap(line, taken, row)
            else:
                thing, end, taken = (high, low), ends, line


def _disputed(entries: npt.NDArray[np.void]) -> npt.NDArray[np.uint64]:
    """The things (their `high`) of which any claim begins before the one sorted before it has ended."""
    found = [np.empty(0, np.uint64)]
    for start in range(0, entries.size - 1, PIECE):
        here, after = entries[start : start + PIECE], entries[start + 1 : start + PIECE + 1]
        here = here[: after.size]
        same = (here["high"] == after["high"]) & (here["low"] == after["low"])
        found.append(np.unique(after["high"][same & (after["start"] < here["end"])]))
    return np.unique(np.concatenate(found))
