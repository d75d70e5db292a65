"""Load reduction forecast: by how much each service point could be lowered, hour by hour, from OUAI to DERMS."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, ClassVar

import numpy as np
import polars as pl

from drbridge.contracts.contract import Dated, Mask, day_in
from drbridge.contracts.intervals import IntervalColumns, IntervalContract, IntervalRow, Intervals
from drbridge.contracts.kinds import Instant, Integer, Number, Text
from drbridge.contracts.problems import Flaw
from drbridge.contracts.rows import column, in_order

KW = Number(12, 4)
ROUNDING = Decimal("0.001")


class LoadForecast(IntervalRow):
    """How much one service point could be lowered: positive is a reduction, negative is snap-back after an event."""

    columns: ClassVar = IntervalColumns(
        "KwReduction", KW, "kW", gaps=True,
        start="ForecastStartTime", end="ForecastEndTime", total="TotalKwReductionAvg",
    )  # fmt: skip

    program_id: Annotated[str, Text(14)] = column(
        "ProgramId", "the program", rule="unique with SPId and ForecastStartTime"
    )
    sp_id: Annotated[str, Text(12)] = column("SPId", "the service point")
    run_at: Annotated[datetime, Instant()] = column(
        "ForecastRunTime", "when the forecast was made", rule="not after ForecastStartTime"
    )
    start: Annotated[datetime, Instant()] = column("ForecastStartTime", "from when it speaks")
    end: Annotated[datetime, Instant()] = column("ForecastEndTime", "until when", rule="after ForecastStartTime")
    interval_size: Annotated[int, Integer(1, 3600, among=(300, 900, 1800, 3600))] = column(
        "IntervalSize(Seconds)", "length of an interval", unit="s", rule="divides the time from start to end"
    )
    total: Annotated[Decimal, KW] = column(
        "TotalKwReductionAvg", "average reduction", unit="kW", rule="the mean of the values present, within 0.001"
    )
    intervals: tuple[Annotated[Decimal, KW] | None, ...]

    def flaws(self, now: datetime) -> Iterator[Flaw]:
        if self.run_at > self.start:
            yield Flaw("ForecastRunTime", "end_before_start", "the forecast was made after the time it speaks of began")
        yield from super().flaws(now)

    @classmethod
    def sure_rules(cls, present: Collection[str], now: datetime) -> list[pl.Expr]:
        return [in_order(pl.col("ForecastRunTime"), pl.col("ForecastStartTime"))]

    def total_flaws(self, present: Sequence[Decimal]) -> Iterator[Flaw]:
        mean = sum(present, Decimal()) / len(present)
        if abs(mean - self.total) > ROUNDING:
            text = "it is not the mean of the intervals"
            yield Flaw(self.columns.total, "average_mismatch", text)

    @classmethod
    def totals_agree(cls, rows: Intervals) -> Mask:
        mean = rows.sums / np.maximum(rows.present, 1)
        return np.asarray(np.abs(mean - rows.total) <= 0.001 - 1e-5)


CONTRACT = IntervalContract(
    noun="load_forecast",
    title="Load reduction forecast",
    prefixes=("LOAD_FORECAST",),
    model=LoadForecast,
    key=("ProgramId", "SPId", "ForecastStartTime"),
    dated=Dated("ForecastStartTime", "earliest"),
    date_in_name=day_in,
)
