"""Finding rows with the same key in a file of any size, in flat memory: keys wait on disk as hashes, in partitions."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from drbridge.checks.overlaps import Overlap
from drbridge.checks.partitions import Entries, Partitions, by_partition

PIECE = 200_000
ENTRY = np.dtype([("high", np.uint64), ("low", np.uint64), ("row", np.uint64), ("line", np.uint32)])
KEY = ["high", "low"]
Lines = npt.NDArray[np.uint32]
Hashes = npt.NDArray[np.uint64]
Counts = npt.NDArray[np.int64]
NAMED_LINES = 5
PARTITIONS_AT_ONCE = 2
_NOTHING = np.empty(0, np.uint32), np.empty(0, np.uint32), np.empty(0, np.uint64), np.empty(0, np.int64)


@dataclass(frozen=True)
class Excluded:
    """Rows that were good each for itself and are not taken because of others.

    Attributes:
        duplicate: lines that repeat an earlier row word for word.
        conflict: lines whose key another row has with other fields, key by key.
        conflict_rows: the hash of each of these rows.
        bounds: where in `conflict` the lines of each key begin, and the end.
        overlaps: rows whose period an earlier one has claimed, in the order of lines.
    """

    duplicate: Lines
    conflict: Lines
    conflict_rows: Hashes
    bounds: Counts
    overlaps: Sequence[Overlap] = ()

    @property
    def has_refused(self) -> bool:
        """Whether any row is refused because of others."""
        return bool(self.conflict.size or self.overlaps)

    @property
    def refused(self) -> tuple[Lines, Hashes]:
        """Lines that are refused because of others, in order, and the hashes of their rows."""
        lines = np.concatenate([self.conflict, self._overlapping])
        rows = np.concatenate([self.conflict_rows, np.array([each.row for each in self.overlaps], np.uint64)])
        order = np.argsort(lines)
        return lines[order], rows[order]

    @property
    def count(self) -> int:
        """How many rows are not taken."""
        return self.duplicate.size + self.conflict.size + len(self.overlaps)

    @property
    def _overlapping(self) -> Lines:
        return np.array([each.line for each in self.overlaps], np.uint32)

    def frame(self) -> pl.DataFrame:
        """`line` and `reason` (duplicate | conflict | overlap), in the order of lines."""
        kind = pl.Enum(["duplicate", "conflict", "overlap"])
        parts = [(self.duplicate, "duplicate"), (self.conflict, "conflict"), (self._overlapping, "overlap")]
        found = [
            pl.DataFrame({"line": pl.Series(lines, dtype=pl.UInt32)}).with_columns(pl.lit(why, kind).alias("reason"))
            for lines, why in parts
            if lines.size
        ]
        return pl.concat([pl.DataFrame(schema={"line": pl.UInt32, "reason": kind}), *found]).sort("line")

    def conflicts(self) -> Iterator[tuple[int, str]]:
        """Each line in conflict, in the order of lines, and the other lines of its key in words."""
        order = np.argsort(self.conflict)
        groups = np.searchsorted(self.bounds, order, side="right") - 1
        for place, group in zip(order, groups, strict=True):
            line, start, end = int(self.conflict[place]), int(self.bounds[group]), int(self.bounds[group + 1])
            first = self.conflict[start : min(end, start + NAMED_LINES + 1)].tolist()
            yield line, _named([each for each in first if each != line][:NAMED_LINES], end - start - 1)


NOTHING_EXCLUDED = Excluded(*_NOTHING[:3], np.zeros(1, np.int64))


def _named(others: list[int], count: int) -> str:
    more = f" and {count - len(others)} more" if count > len(others) else ""
    return f"line{'s' if count > 1 else ''} {', '.join(map(str, others))}{more}"


class Keys:
    """The keys of all accepted rows of one file.

    Args:
        key: what makes up the key of a row; equal values, equal keys.
        folder: where keys wait.
    """

    def __init__(self, key: Sequence[pl.Expr], folder: Path) -> None:
        self.key = list(key)
        self._seeds = [secrets.randbits(63) for _ in range(3)]
        self._waiting = Partitions(folder)

    def rows(self, frame: pl.DataFrame) -> Hashes:
        """A hash of each row of a frame (the columns of the file): equal rows, equal hashes."""
        return frame.hash_rows(seed=self._seeds[2]).to_numpy()

    def entries(self, frame: pl.DataFrame, rows: Hashes) -> Entries:
        """What is noted of the keys of accepted rows (`line` and the columns of the file).

        Args:
            rows: their hashes.
        """
        keys = frame.select_seq(self.key)
        entries = np.empty(frame.height, ENTRY)
        entries["high"] = keys.hash_rows(seed=self._seeds[0]).to_numpy()
        entries["low"] = keys.hash_rows(seed=self._seeds[1]).to_numpy()
        entries["row"] = rows
        entries["line"] = frame["line"].to_numpy()
        return by_partition(entries)

    def add(self, entries: Entries) -> None:
        """Keeps what was noted of some rows."""
        self._waiting.write(entries)

    def close(self) -> None:
        """Removes what waits on disk."""
        self._waiting.close()

    def resolve(self) -> Excluded:
        """Which rows are not taken: the repetitions of equal rows, and every row of a key with different rows."""
        with ThreadPoolExecutor(PARTITIONS_AT_ONCE) as workers:
            found = list(workers.map(_excluded_of, self._waiting.paths()))
        self.close()
        duplicate, conflict, rows, sizes = map(np.concatenate, zip(_NOTHING, *found, strict=True))
        return Excluded(duplicate, conflict, rows, np.cumsum(np.append(0, sizes)))


def _excluded_of(path: Path) -> tuple[Lines, Lines, Hashes, Counts]:
    """Of one partition: lines that repeat an equal row, lines and rows in conflict, key by key; how many of each."""
    suspects = _suspects(path)
    repeated = _repeated(path, suspects) if suspects.size else pl.DataFrame()
    if not repeated.height:
        return _NOTHING
    duplicate, conflict = _excluded(path, suspects, repeated)
    sizes = conflict["key"].rle().struct.field("len").cast(pl.Int64)
    return duplicate.to_numpy(), conflict["line"].to_numpy(), conflict["row"].to_numpy(), sizes.to_numpy()


def _entries(path: Path) -> Iterator[npt.NDArray[np.void]]:
    """The entries of one partition; most fit into one piece, unless one key comes again and again."""
    with path.open("rb") as file:
        while (entries := np.fromfile(file, ENTRY, PIECE)).size:
            yield entries


def _suspects(path: Path) -> Hashes:
    """Which halves of hashes come more than once; of a usual partition, none."""
    halves = np.sort(np.concatenate([np.empty(0, np.uint64), *(each["high"] for each in _entries(path))]))
    return np.unique(halves[1:][halves[1:] == halves[:-1]])


def _pieces(path: Path, suspects: Hashes) -> Iterator[pl.DataFrame]:
    """The entries of one partition that may be about the same thing as others."""
    for entries in _entries(path):
        ours = entries[np.isin(entries["high"], suspects)]
        yield pl.DataFrame({name: np.ascontiguousarray(ours[name]) for name in ENTRY.names or ()})


def _repeated(path: Path, suspects: Hashes) -> pl.DataFrame:
    """The keys that come more than once: their first line, and whether all their rows are the same."""
    told = [pl.len().alias("rows"), pl.min("line"), pl.min("row").alias("least"), pl.max("row").alias("most")]
    added = [pl.sum("rows"), pl.min("line"), pl.min("least"), pl.max("most")]
    found: pl.DataFrame | None = None
    for piece in _pieces(path, suspects):
        more = piece.group_by(KEY).agg(told)
        found = more if found is None else pl.concat([found, more]).group_by(KEY).agg(added)
    if found is None:
        return pl.DataFrame()
    same = (pl.col("least") == pl.col("most")).alias("same")
    return found.filter(pl.col("rows") > 1).select(*KEY, same, pl.col("line").alias("first")).with_row_index("key")


def _excluded(path: Path, suspects: Hashes, repeated: pl.DataFrame) -> tuple[pl.Series, pl.DataFrame]:
    """Of repeated keys: the lines that repeat an equal row, and the lines in conflict with their `key`, by key."""
    duplicates, conflicts = [], []
    for piece in _pieces(path, suspects):
        ours = piece.join(repeated, on=KEY)
        duplicates.append(ours.filter(pl.col("same") & (pl.col("line") != pl.col("first")))["line"])
        conflicts.append(ours.filter(~pl.col("same")).select("key", "line", "row"))
    return pl.concat(duplicates), pl.concat(conflicts).sort("key", "line")
