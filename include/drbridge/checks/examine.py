"""Examining a stretch: all that it tells by itself is found out beside the reading, for several stretches at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import polars as pl

from drbridge.checks.keys import Keys
from drbridge.checks.overlaps import Overlaps
from drbridge.checks.partitions import Entries
from drbridge.checks.rows import Layout, Refused, judge
from drbridge.checks.text import Stretch
from drbridge.contracts import Problem


@dataclass(frozen=True)
class Examined:
    """What a stretch of a file tells by itself.

    Attributes:
        refused: record number and problems of each refused row, in order.
        record: of each accepted row, its number in the stretch.
        frame: the accepted rows: `line`, and one text column per column of the file.
        keys: what is noted of their keys, to be compared with those of other stretches.
        claims: what is noted of the periods they claim; None where the contract knows none.
        sums: what their amounts come to, by what they are added up by.
        moment: the one that dates them, if any does.
    """

    stretch: Stretch
    refused: Refused
    record: pl.Series
    frame: pl.DataFrame
    keys: Entries
    claims: Entries | None
    sums: Mapping[str, Decimal]
    warnings: Sequence[Problem]
    moment: datetime | None


def examine(stretch: Stretch, layout: Layout, keys: Keys, periods: Overlaps | None) -> Examined:
    """Judges the rows of a stretch, and finds out what must be known of those that are accepted."""
    records, contract = stretch.records, layout.contract
    judged = judge(records, layout, stretch.first_line)
    record, *columns = judged.accepted.get_columns()
    lines = pl.Series("line", records.lines[record.to_numpy()] + stretch.first_line, pl.UInt32)
    frame, rows = pl.DataFrame([lines, *columns]), keys.rows(pl.DataFrame(columns))
    return Examined(
        stretch, judged.refused, record, frame, keys.entries(frame, rows),
        periods.entries(frame, rows) if periods is not None else None,
        contract.sums(frame), list(contract.warnings_of(frame)), contract.business_at(frame),
    )  # fmt: skip
