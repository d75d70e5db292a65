"""kW drop: by how much each participating customer's demand fell, interval by interval, from OUAI to DACS."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, ClassVar

import numpy as np

from drbridge.contracts.contract import Dated, Mask
from drbridge.contracts.intervals import IntervalColumns, IntervalContract, IntervalRow, Intervals
from drbridge.contracts.kinds import PLAIN, Instant, Integer, Text
from drbridge.contracts.problems import Flaw
from drbridge.contracts.rows import column

KW = PLAIN


class KwDrop(IntervalRow):
    """How one customer's demand fell during one event."""

    columns: ClassVar = IntervalColumns(
        "KwDrop", KW, "kW", gaps=True, start="ActualStartTime", end="ActualEndTime", total="MaxKwDrop"
    )

    event_id: Annotated[str, Text(120)] = column("EventId", "the event", rule="unique with ProgramId and SPId")
    program_id: Annotated[str, Text(14)] = column("ProgramId", "the program")
    sp_id: Annotated[str, Text(12)] = column("SPId", "the service point")
    start: Annotated[datetime, Instant()] = column("ActualStartTime", "when the customer's participation began")
    end: Annotated[datetime, Instant()] = column("ActualEndTime", "when it ended", rule="after ActualStartTime")
    interval_size: Annotated[int, Integer(1, 86_400)] = column(
        "IntervalSize(Seconds)", "length of an interval", unit="s", rule="divides the time from start to end"
    )
    total: Annotated[Decimal, KW] = column("MaxKwDrop", "the largest drop", unit="kW", rule="the largest interval")
    intervals: tuple[Annotated[Decimal, KW] | None, ...]

    def total_flaws(self, present: Sequence[Decimal]) -> Iterator[Flaw]:
        if max(present) != self.total:
            yield Flaw(self.columns.total, "max_mismatch", "it is not the largest interval")

    @classmethod
    def totals_agree(cls, rows: Intervals) -> Mask:
        return np.asarray(rows.largest == rows.total)


CONTRACT = IntervalContract(
    noun="kw_drop",
    title="kW drop",
    prefixes=("KW_DROP",),
    model=KwDrop,
    key=("EventId", "ProgramId", "SPId"),
    dated=Dated("ActualStartTime", "earliest"),
)
