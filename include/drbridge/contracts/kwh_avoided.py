"""kWh avoided: the energy each participating customer saved, interval by interval, from OUAI to DACS."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, ClassVar

import numpy as np
import polars as pl

from drbridge.contracts.contract import Dated, Mask, Warn
from drbridge.contracts.intervals import IntervalColumns, IntervalContract, IntervalRow, Intervals
from drbridge.contracts.kinds import PLAIN, Instant, Integer, Text
from drbridge.contracts.problems import Flaw
from drbridge.contracts.rows import column

KWH = PLAIN
ROUNDING = Decimal("0.01")


class KwhAvoided(IntervalRow):
    """What one customer saved during one event."""

    columns: ClassVar = IntervalColumns(
        "KwhSaved", KWH, "kWh", gaps=False, start="ActualStartTime", end="ActualEndTime", total="TotalKwhSavedForPeriod"
    )

    event_id: Annotated[str, Text(120)] = column("EventId", "the event", rule="unique with ProgramId and SPId")
    event_type: Annotated[str, Text(30)] = column("EventType", "the kind of event in words, as in Economic")
    program_id: Annotated[str, Text(14)] = column("ProgramId", "the program")
    sp_id: Annotated[str, Text(12)] = column("SPId", "the service point")
    start: Annotated[datetime, Instant()] = column("ActualStartTime", "when the customer's participation began")
    end: Annotated[datetime, Instant()] = column("ActualEndTime", "when it ended", rule="after ActualStartTime")
    interval_size: Annotated[int, Integer(1, 86_400)] = column(
        "IntervalSize(Seconds)", "length of an interval", unit="s", rule="divides the time from start to end"
    )
    total_used: Annotated[Decimal, KWH] = column("TotalKwh", "energy used in the period", unit="kWh")
    total: Annotated[Decimal, KWH] = column(
        "TotalKwhSavedForPeriod", "energy saved in the period", unit="kWh",
        rule="the sum of the intervals, within 0.01 for each of them",
    )  # fmt: skip
    intervals: tuple[Annotated[Decimal, KWH] | None, ...]

    def total_flaws(self, present: Sequence[Decimal]) -> Iterator[Flaw]:
        added = sum(present, Decimal())
        if abs(added - self.total) > ROUNDING * len(present):
            yield Flaw(self.columns.total, "sum_mismatch", "it is not the sum of the intervals")

    @classmethod
    def totals_agree(cls, rows: Intervals) -> Mask:
        return np.asarray(np.abs(rows.sums - rows.total) <= 0.01 * rows.present - 1e-5)


CONTRACT = IntervalContract(
    noun="kwh_avoided",
    title="kWh avoided",
    prefixes=("KWH_AVOIDED",),
    model=KwhAvoided,
    key=("EventId", "ProgramId", "SPId"),
    dated=Dated("ActualStartTime", "earliest"),
    warnings=(
        Warn(
            "negative_interval", "an interval is negative: more was used than without the event", (),
            when=pl.col("^KwhSaved[0-9]+$").str.contains(r"\A-[0.]*[1-9]"),
            first=pl.col("^KwhSaved[0-9]+$").str.starts_with("-"),
        ),
    ),
)  # fmt: skip
