"""From records to rows: the columns of a block, which rows are good at a glance, and what is wrong with the others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import numpy as np
import polars as pl

from drbridge.checks.split import Records
from drbridge.contracts import Contract, Problem
from drbridge.contracts.contract import Mask

BOM = b"\xef\xbb\xbf"
MOST_PROBLEMS = 20
WIDE_COLUMNS = 64


@dataclass(frozen=True)
class Layout:
    """How the rows of one file are to be read.

    Attributes:
        columns: the names in the header.
        now: the moment that counts as now for all rows.
    """

    contract: Contract
    columns: tuple[str, ...]
    delimiter: str
    now: datetime

    @property
    def schema(self) -> dict[str, pl.DataType]:
        return {name: pl.String() for name in self.columns}

    @cached_property
    def sure_row(self) -> str:
        return self.contract.sure_row(self.columns, self.delimiter)


@dataclass(frozen=True)
class Judged:
    """The rows of a block, judged.

    Attributes:
        accepted: `record` (number in the block) and one text column per column of the file.
        refused: record number and problems of each refused row, in order.
    """

    accepted: pl.DataFrame
    refused: list[tuple[int, list[Problem]]]


def judge(records: Records, layout: Layout, first_line: int) -> Judged:
    """Judges every record of a block.

    Args:
        first_line: the line of the file on which the block starts.
    """
    refused = dict(_misshapen(records, layout, first_line))
    frame, good = _frame(records, layout, refused)
    good &= layout.contract.surely_fit(frame.drop("record"), layout.now)
    if not good.all():
        doubtful = np.flatnonzero(~good)
        for place, (record, *fields) in zip(doubtful.tolist(), frame[doubtful].iter_rows(), strict=True):
            line = first_line + int(records.lines[record])
            problems = layout.contract.judge(line, dict(zip(layout.columns, fields, strict=True)), layout.now)
            if problems:
                refused[record] = _shortened(problems)
            else:
                good[place] = True
        frame = frame.filter(good)
    return Judged(frame, sorted(refused.items()))


def _shortened(problems: list[Problem]) -> list[Problem]:
    """The first problems of a row, and how many more there are: nobody reads ten thousand of one row."""
    more = len(problems) - MOST_PROBLEMS
    if more <= 0:
        return problems
    last = Problem(problems[0].line, "", "and_more", f"{more:,} more things are wrong with this row")
    return [*problems[:MOST_PROBLEMS], last]


def _misshapen(records: Records, layout: Layout, first_line: int) -> Iterator[tuple[int, list[Problem]]]:
    """Records that cannot be told apart into the columns of the header."""
    texts = {
        "bad_quoting": "a quote is out of place",
        "lone_carriage_return": "a carriage return without a line feed",
    }
    for record, code in records.faults.items():
        line = first_line + int(records.lines[record])
        yield record, [Problem(line, "", code, texts[code])]
    if records.counts is None:
        return
    wanted = len(layout.columns)
    for record in np.flatnonzero(records.counts != wanted).tolist():
        if record in records.faults:
            continue
        line, count = first_line + int(records.lines[record]), int(records.counts[record])
        blank = not records.data[records.starts[record] : records.ends[record]].strip(b"\r\n")
        text = "the line is blank" if blank else f"{count} field{'s' * (count != 1)}, the header has {wanted}"
        yield record, [Problem(line, "", "field_count", text)]


def _frame(records: Records, layout: Layout, refused: dict[int, list[Problem]]) -> tuple[pl.DataFrame, Mask]:
    """All records of the right shape as text columns, and which of them have only fields that are surely good."""
    by_hand = {record: fields for record, fields in records.odd.items() if record not in refused}
    plain = np.ones(len(records), np.bool_)
    plain[[*by_hand, *refused]] = False
    frame, sure = _read_plain(records, plain, layout)
    if by_hand:
        frame = pl.concat([frame, _read_by_hand(by_hand, layout)]).sort("record")
        sure = np.isin(frame["record"].to_numpy(), np.flatnonzero(plain)[sure])
    return frame, sure


def _read_plain(records: Records, plain: Mask, layout: Layout) -> tuple[pl.DataFrame, Mask]:
    numbers = pl.Series("record", np.flatnonzero(plain), pl.UInt32)
    data = _only(records, plain)
    if not numbers.len():
        return pl.DataFrame(schema={"record": pl.UInt32, **layout.schema}), np.zeros(0, np.bool_)
    if b'"' in data:
        data = data.replace(b'"', b"")
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n")
    frame = _read(data, layout)
    assert frame.height == numbers.len(), "records were told apart differently by two readers"
    return frame.insert_column(0, numbers), _sure(data, layout.sure_row)


def _sure(data: bytes, row: str) -> Mask:
    """Which lines match a pattern."""
    lines = _read_csv(data, {"row": pl.String()}, "\0")
    return lines["row"].str.contains(row).fill_null(False).to_numpy()


def _read_csv(data: bytes, schema: dict[str, pl.DataType], separator: str) -> pl.DataFrame:
    if data.startswith(BOM):
        data = BOM + data  # polars takes one away
    return pl.read_csv(data, has_header=False, schema=schema, separator=separator, quote_char=None, infer_schema=False)


def _read(data: bytes, layout: Layout) -> pl.DataFrame:
    """Lines as text columns; of thousands of columns, for each of which `read_csv` would set memory aside, by hand."""
    if len(layout.columns) <= WIDE_COLUMNS:
        return _read_csv(data, layout.schema, layout.delimiter)
    text = data.removesuffix(b"\n").replace(b"\n", layout.delimiter.encode()).decode()
    cells = pl.Series([text]).str.split(layout.delimiter).explode()
    cells = cells.set(cells == "", None)
    return cells.reshape((-1, len(layout.columns))).arr.to_struct(fields=layout.columns).struct.unnest()


def _only(records: Records, plain: Mask) -> bytes:
    """The bytes of the plain records, in one piece."""
    if plain.all():
        return records.data[: records.consumed]
    edges = np.flatnonzero(np.diff(plain.astype(np.int8), prepend=0, append=0))
    runs = zip(edges[0::2].tolist(), edges[1::2].tolist(), strict=True)
    return b"".join(records.data[records.starts[first] : records.ends[end - 1]] for first, end in runs)


def _read_by_hand(by_hand: dict[int, list[bytes]], layout: Layout) -> pl.DataFrame:
    rows = [(record, *(each.decode() or None for each in fields)) for record, fields in by_hand.items()]
    return pl.DataFrame(rows, schema={"record": pl.UInt32, **layout.schema}, orient="row")
