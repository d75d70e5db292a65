"""Which lines of a staged file name a key: those that were accepted, and those that were refused on their own."""

from __future__ import annotations

import csv
import heapq
import io
import mmap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import compress
from pathlib import Path

import polars as pl

from drbridge.contracts import FILES
from drbridge.contracts.identifiers import is_identifier
from drbridge.exchange.staging import StagedFile


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines one after the other that name the key in the same columns.

    Attributes:
        first, last: their numbers in the file.
        matched: the columns that hold the key.
        row: the number of the first among the staged rows; a line refused on its own has none.
        is_excluded: they were staged, and the end of the file showed them to be duplicates or contradictory.
        refusal: why it was refused on its own.
    """

    first: int
    last: int
    matched: tuple[str, ...]
    row: int | None = None
    is_excluded: bool = False
    refusal: str = ""


def lines_naming(staged: StagedFile, parts: set[Path], key: str) -> Iterator[Lines]:
    """The lines of a staged file that name the key, in their order.

    Args:
        parts: the only ones that may hold a row that does.
    """
    return heapq.merge(_accepted(staged, parts, key), _refused(staged, key), key=lambda lines: lines.first)


def _accepted(staged: StagedFile, parts: set[Path], key: str) -> Iterator[Lines]:
    for part, path in zip(staged.manifest.parts, staged.part_paths, strict=True):
        if path not in parts:
            continue
        rows = pl.scan_parquet(path, glob=False).with_row_index("row", offset=part.first_row)
        columns = [name for name in FILES[staged.manifest.noun].ids if name in rows.collect_schema()]
        if not columns:
            continue
        hits = rows.select("row", "line", *(pl.col(name).eq_missing(key) for name in columns))
        hits = hits.filter(pl.any_horizontal(columns))
        hits = hits.with_columns(excluded=pl.col("line").is_in(staged.excluded_lines.implode()))
        for first, last, row, is_excluded, *holds in _in_runs(hits, ("excluded", *columns)).iter_rows():
            yield Lines(first, last, tuple(compress(columns, holds)), row, is_excluded)


def _in_runs(hits: pl.LazyFrame, alike: Sequence[str]) -> pl.DataFrame:
    """Rows that follow each other and are alike in some columns, as one: first and last line, first row, and these."""
    follows = (pl.col(name).diff() == 1 for name in ("row", "line"))
    goes_on = pl.all_horizontal(*follows, *(pl.col(name) == pl.col(name).shift() for name in alike))
    runs = hits.group_by((~goes_on).fill_null(True).cum_sum().alias("run"), maintain_order=True)
    edges = (pl.col("line").first().alias("first"), pl.col("line").last().alias("last"), pl.col("row").first())
    return runs.agg(*edges, pl.col(alike).first()).drop("run").collect()


def _refused(staged: StagedFile, key: str) -> Iterator[Lines]:
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
        line = int(record["line"])
        if matched and line not in staged.excluded_lines:
            yield Lines(line, line, matched, refusal=f"{record['code']}: {record['text']}")


def _holds(rejects: Path, pieces: list[str]) -> bool:
    """Whether the list of refused rows holds all of some texts."""
    with rejects.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as told:
        return all(told.find(piece.encode()) >= 0 for piece in pieces)


def _fields(row: str, delimiter: str) -> list[str]:
    return next(csv.reader(io.StringIO(row, newline=""), delimiter=delimiter), [])
