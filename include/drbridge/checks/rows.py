"""From records to rows: the columns of a block, which rows are good at a glance, and what is wrong with the others."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import compress

import numpy as np
import polars as pl

from drbridge.checks.split import Records
from drbridge.contracts import Contract, Problem
from drbridge.contracts.contract import Mask

BOM = b"\xef\xbb\xbf"
MOST_PROBLEMS = 20
FAULTS = {
    "bad_quoting": "a quote is out of place", "lone_carriage_return": "a carriage return without a line feed",
}  # fmt: skip
Refused = list[tuple[int, list[Problem]]]


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
    def sure_row(self) -> pl.Expr:
        return self.contract.sure_row(self.columns, self.delimiter)


@dataclass(frozen=True)
class Judged:
    """The rows of a block, judged.

    Attributes:
        accepted: `record` (number in the block) and one text column per column of the file.
        refused: record number and problems of each refused row, in order.
    """

    accepted: pl.DataFrame
    refused: Refused


def judge(records: Records, layout: Layout, first_line: int) -> Judged:
    """Judges every record of a block.

    Args:
        first_line: the line of the file on which the block starts.
    """
    frame, good = _at_a_glance(records, layout)
    taken, refused = dict[int, list[str | None]](), Refused()
    for record in np.flatnonzero(~good).tolist():
        fields, problems = _looked_at(records, record, layout, first_line + int(records.lines[record]))
        if problems:
            refused.append((record, _shortened(problems)))
        else:
            taken[record] = fields
    if taken:
        frame = pl.concat([frame, _by_hand(taken, layout)]).sort("record")
    return Judged(frame, refused)


def _looked_at(
    records: Records, record: int, layout: Layout, line: int
) -> tuple[list[str | None], list[Problem]]:  # fmt: skip
    """The fields of one record, and what is wrong with it."""
    fault = records.faults.get(record)
    if fault:
        return [], [Problem(line, "", fault, FAULTS[fault])]
    fields, wanted = records.fields(record), len(layout.columns)
    if len(fields) != wanted:
        count = f"{len(fields)} field{'s' * (len(fields) != 1)}, the header has {wanted}"
        return [], [Problem(line, "", "field_count", count if records.row(record) else "the line is blank")]
    texts = [each.decode() or None for each in fields]
    return texts, layout.contract.judge(line, dict(zip(layout.columns, texts, strict=True)), layout.now)


def _shortened(problems: list[Problem]) -> list[Problem]:
    """The first problems of a row, and how many more there are: nobody reads ten thousand of one row."""
    more = len(problems) - MOST_PROBLEMS
    if more <= 0:
        return problems
    last = Problem(problems[0].line, "", "and_more", f"{more:,} more things are wrong with this row")
    return [*problems[:MOST_PROBLEMS], last]


def _at_a_glance(records: Records, layout: Layout) -> tuple[pl.DataFrame, Mask]:
    """The rows that are surely good, as `record` and text columns; and which of the records they are."""
    good = np.ones(len(records), np.bool_)
    good[[*records.odd, *records.faults]] = False
    numbers = np.flatnonzero(good)
    data = _plain(records, good)
    if not data:
        return pl.DataFrame(schema={"record": pl.UInt32, **layout.schema}), good
    lines = lines_of(data)
    assert lines.len() == numbers.size, "records were told apart differently by two readers"
    sure = lines.to_frame().select_seq(layout.sure_row.fill_null(False)).to_series()
    good[numbers[~sure.to_numpy()]] = False
    frame, numbers = _fields(lines.filter(sure), layout), np.flatnonzero(good)
    fits = layout.contract.surely_fit(frame, layout.now)
    frame.insert_column(0, pl.Series("record", numbers, pl.UInt32))
    if not fits.all():
        good[numbers[~fits]] = False
        frame = frame.filter(fits)
    return frame, good


def _plain(records: Records, wanted: Mask) -> bytes:
    """The lines of some records none of which is odd, as they read without quotes."""
    data = _only(records, wanted)
    if b'"' in data:
        data = data.replace(b'"', b"")
    return data.replace(b"\r\n", b"\n") if b"\r" in data else data


def lines_of(data: bytes) -> pl.Series:
    """The lines of a text, each without its line feed; an empty one is null."""
    if data.startswith(BOM):
        data = BOM + data  # polars takes one away
    schema = {"row": pl.String()}
    return pl.read_csv(
        data, has_header=False, schema=schema, separator="\0", quote_char=None, infer_schema=False
    ).to_series()  # fmt: skip


def _fields(lines: pl.Series, layout: Layout) -> pl.DataFrame:
    """The fields of lines that have one for each column; an empty one is null."""
    frame = lines.str.splitn(layout.delimiter, len(layout.columns)).struct.unnest()
    frame.columns = list(layout.columns)
    empty = frame.select_seq((pl.all() == "").any()).row(0)
    holed = pl.col(compress(layout.columns, empty))
    return frame.with_columns_seq(pl.when(holed != "").then(holed)) if any(empty) else frame


def _only(records: Records, plain: Mask) -> bytes:
    """The bytes of the plain records, in one piece."""
    if plain.all():
        return records.data[: records.consumed]
    edges = np.flatnonzero(np.diff(plain.astype(np.int8), prepend=0, append=0))
    runs = zip(edges[0::2].tolist(), edges[1::2].tolist(), strict=True)
    return b"".join(records.data[records.starts[first] : records.ends[end - 1]] for first, end in runs)


def _by_hand(taken: dict[int, list[str | None]], layout: Layout) -> pl.DataFrame:
    rows = [(record, *fields) for record, fields in taken.items()]
    return pl.DataFrame(rows, schema={"record": pl.UInt32, **layout.schema}, orient="row")
