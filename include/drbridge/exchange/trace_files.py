"""Which lines of a staged file name a key: those that were accepted, and those that were refused on their own."""

from __future__ import annotations

import csv
import heapq
import io
import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from drbridge.contracts import CONTRACTS
from drbridge.contracts.identifiers import is_identifier
from drbridge.exchange.staging import StagedFile


@dataclass(frozen=True, slots=True)
class Hit:
    """A line that names the key.

    Attributes:
        matched: the columns that hold it.
        row: its number among the staged rows; a line refused on its own has none.
        refusal: why it was refused on its own.
    """

    line: int
    matched: tuple[str, ...]
    row: int | None = None
    refusal: str = ""


def lines_naming(staged: StagedFile, parts: set[Path], key: str) -> Iterator[Hit]:
    """The lines of a staged file that name the key, in their order.

    Args:
        parts: the only ones that may hold a row that does.
    """
    return heapq.merge(_accepted(staged, parts, key), _refused(staged, key), key=lambda hit: hit.line)


def _accepted(staged: StagedFile, parts: set[Path], key: str) -> Iterator[Hit]:
    for part, path in zip(staged.manifest.parts, staged.part_paths, strict=True):
        if path not in parts:
            continue
        rows = pl.scan_parquet(path, glob=False)
        columns = [name for name in CONTRACTS[staged.manifest.noun].ids if name in rows.collect_schema()]
        if not columns:
            continue
        hits = (
            rows
            .select("line", *columns)
            .with_row_index("row", offset=part.first_row)
            .filter(pl.any_horizontal(pl.col(columns) == key))
            .collect()
        )
        for row, line, *values in hits.iter_rows():
            yield Hit(line, tuple(name for name, value in zip(columns, values, strict=True) if value == key), row)


def _refused(staged: StagedFile, key: str) -> Iterator[Hit]:
    """Rows that the check refused on their own: they are not staged, but kept as they came."""
    pieces = key.split('"')  # a quotation mark is written twice, or four times; what stands between is as it is
    if not _holds(staged.rejects, pieces):
        return
    has_all = pl.all_horizontal(pl.col("row").str.contains(piece, literal=True) for piece in pieces)
    rejects = pl.scan_csv(staged.rejects, infer_schema=False).filter(has_all).unique("line", keep="first").collect()
    delimiter = staged.manifest.delimiter
    names = _fields(staged.manifest.header.decode("utf-8-sig"), delimiter)
    for record in sorted(rejects.iter_rows(named=True), key=lambda each: int(each["line"])):
        values = zip(names, _fields(record["row"], delimiter), strict=False)
        matched = tuple(name for name, value in values if value == key and is_identifier(name))
        if matched and int(record["line"]) not in staged.lines_excluded:
            yield Hit(int(record["line"]), matched, refusal=f"{record['code']}: {record['text']}")


def _holds(rejects: Path, pieces: list[str]) -> bool:
    """Whether the list of refused rows holds all of some texts."""
    with rejects.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as told:
        return all(told.find(piece.encode()) >= 0 for piece in pieces)


def _fields(row: str, delimiter: str) -> list[str]:
    return next(csv.reader(io.StringIO(row, newline=""), delimiter=delimiter), [])
