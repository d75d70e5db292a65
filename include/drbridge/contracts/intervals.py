"""Rows with one value per interval: KwhSaved1, KwhSaved2 ... as many columns as the longest row of a file needs."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import model_validator

from drbridge.contracts.contract import Column, Contract, Mask
from drbridge.contracts.kinds import Number, epoch_seconds
from drbridge.contracts.problems import Flaw
from drbridge.contracts.rows import Row

MOST_INTERVALS = 10_000
SURE_DIGITS = 15
SURE_DECIMALS = (6, 12)
SURE_SUM = 1e6
Numbers = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


@lru_cache(maxsize=1 << 16)
def _number_after(name: str, column: str) -> int:
    found = re.fullmatch(re.escape(name) + "([1-9][0-9]{0,5})", column)
    return int(found[1]) if found else 0


@dataclass(frozen=True)
class IntervalColumns:
    """Where the parts of an interval row stand.

    Attributes:
        name: of the interval columns, without their number.
        kind: of each value.
        gaps: whether an interval may be empty between others.
        total: the column that sums the values up, in one way or another.
    """

    name: str
    kind: Number
    unit: str
    gaps: bool
    start: str
    end: str
    total: str
    size: str = "IntervalSize(Seconds)"

    def number(self, column: str) -> int:
        """The number of an interval column; 0 for other columns."""
        return _number_after(self.name, column)

    def described(self) -> Column:
        """All interval columns as one line of the contract's page."""
        rule = (
            "one value per interval from start to end; shorter rows end empty"
            + ("; an empty one is missing" if self.gaps else "; none is empty")
            + f"; N is at most {MOST_INTERVALS:,}"
        )
        kind = self.kind
        return Column(f"{self.name}1 ... {self.name}N", True, kind, "the value of one interval", self.unit, rule)


@dataclass(frozen=True)
class Intervals:
    """The intervals of many rows, as numbers.

    Attributes:
        values: one row per row of the file, NaN where empty.
        count: intervals each row should have.
        total: what each row says they come to.
    """

    values: Numbers
    count: Counts
    total: Numbers

    @cached_property
    def is_empty(self) -> npt.NDArray[np.bool_]:
        return np.isnan(self.values)

    @cached_property
    def present(self) -> Counts:
        return np.asarray(self.values.shape[1] - np.count_nonzero(self.is_empty, axis=1))

    @cached_property
    def filled(self) -> Numbers:
        return np.where(self.is_empty, 0.0, self.values)

    @cached_property
    def sums(self) -> Numbers:
        return np.asarray(self.filled.sum(axis=1))

    @cached_property
    def largest(self) -> Numbers:
        return np.asarray(np.where(self.is_empty, -np.inf, self.values).max(axis=1))

    @cached_property
    def beyond(self) -> Mask:
        """Rows with a value after their last interval."""
        after = np.arange(self.values.shape[1])[None, :] >= self.count[:, None]
        return np.asarray((after & ~self.is_empty).any(axis=1))


class IntervalRow(Row):
    """A row whose last columns are intervals. A subclass declares the five fields below under its own column names."""

    columns: ClassVar[IntervalColumns]

    if TYPE_CHECKING:
        start: datetime
        end: datetime
        interval_size: int
        total: Decimal
        intervals: tuple[Decimal | None, ...]

    @model_validator(mode="before")
    @classmethod
    def _gather_intervals(cls, data: Any) -> Any:
        if not isinstance(data, Mapping) or "intervals" in data:
            return data
        numbers = {name: cls.columns.number(name) for name in data}
        ours = sorted((name for name in data if numbers[name]), key=numbers.__getitem__)
        rest = {name: value for name, value in data.items() if not numbers[name]}
        return {**rest, "intervals": tuple(data[name] or None for name in ours)}

    def flaws(self, now: datetime) -> Iterator[Flaw]:
        names, columns = self.columns, len(self.intervals)
        if self.end <= self.start:
            yield Flaw(names.end, "end_before_start", f"{names.end} is not after {names.start}")
            return
        count, rest = divmod(self.end - self.start, timedelta(seconds=self.interval_size))
        given = {number for number, value in enumerate(self.intervals, 1) if value is not None}
        if rest:
            text = f"the time from start to end is not a whole number of intervals of {self.interval_size} s"
            yield Flaw(names.size, "interval_count", text)
        elif max(given, default=0) > count:
            yield self._miscounted(max(given), f"there are {count} intervals from start to end, a value stands after")
        elif count > columns:
            yield self._miscounted(columns, f"there are {count} intervals from start to end, and {columns} columns")
        elif not given or (not names.gaps and len(given) < count):
            empty = next(number for number in range(1, count + 1) if number not in given)
            yield self._miscounted(empty, f"there are {count} intervals from start to end, and {len(given)} values")
        else:
            yield from self.total_flaws([value for value in self.intervals if value is not None])

    def _miscounted(self, number: int, text: str) -> Flaw:
        return Flaw(f"{self.columns.name}{number}", "interval_count", text)

    @abstractmethod
    def total_flaws(self, present: Sequence[Decimal]) -> Iterator[Flaw]:
        """Whether the row's total agrees with the values that are there."""

    @classmethod
    @abstractmethod
    def totals_agree(cls, rows: Intervals) -> Mask:
        """The same for many rows: true only where `total_flaws` finds none.

        Sums of the values given here are right to a millionth.
        """


@dataclass(frozen=True)
class IntervalContract(Contract):
    """A contract whose files have interval columns."""

    @cached_property
    def layout(self) -> IntervalColumns:
        assert issubclass(self.model, IntervalRow)
        return self.model.columns

    @property
    def documented(self) -> tuple[Column, ...]:
        return (*self.columns, self.layout.described())

    def knows(self, name: str) -> bool:
        return super().knows(name) or self.layout.number(name) > 0

    def beyond(self, names: Sequence[str]) -> list[str]:
        return [name for name in names if self.layout.number(name) > MOST_INTERVALS]

    def lacking(self, names: Sequence[str]) -> list[str]:
        numbers = {self.layout.number(name) for name in names}
        wanted = range(1, min(max(numbers | {1}), MOST_INTERVALS) + 1)
        return super().lacking(names) + [f"{self.layout.name}{each}" for each in wanted if each not in numbers]

    def _sure_field(self, name: str, delimiter: str) -> str:
        if self.layout.number(name):
            return f"(?:{_sure_number(self.layout.kind)})?"
        return _sure_number(self.layout.kind) if name == self.layout.total else super()._sure_field(name, delimiter)

    def surely_fit(self, frame: pl.DataFrame, now: datetime) -> Mask:
        good = super().surely_fit(frame, now)
        return good & self._intervals_fit(frame) if frame.height else good

    def _intervals_fit(self, frame: pl.DataFrame) -> Mask:
        """Whether the intervals of each row fill its time and agree with its total, for certain."""
        names, model = self.layout, self.model
        assert issubclass(model, IntervalRow)
        columns = sorted(filter(names.number, frame.columns), key=names.number)
        numbers = frame.select_seq(pl.col(*columns, names.total).cast(pl.Float64, strict=False)).to_numpy(
            order="fortran"
        )
        rows = Intervals(numbers[:, :-1], _interval_counts(frame, names), numbers[:, -1])
        good = ~np.isnan(rows.total)
        good &= (rows.count > 0) & (rows.count <= len(columns)) & (rows.present > 0) & ~rows.beyond
        good &= np.abs(rows.filled).sum(axis=1) <= SURE_SUM
        if not names.gaps:
            good &= rows.present == rows.count
        return np.asarray(good & model.totals_agree(rows))

    def _field_of(self, where: tuple[Any, ...]) -> str:
        if len(where) > 1 and where[0] == "intervals":
            return f"{self.layout.name}{int(where[1]) + 1}"
        return super()._field_of(where)


def _sure_number(kind: Number) -> str:
    """Numbers so short that float and decimal agree."""
    ways = (
        kind.of_digits(min(SURE_DIGITS - decimals, kind.precision - kind.scale), min(decimals, kind.scale))
        for decimals in SURE_DECIMALS
    )
    return f"(?:{'|'.join(ways)})"


def _interval_counts(frame: pl.DataFrame, names: IntervalColumns) -> Counts:
    """How many intervals lie between start and end; 0 where that is not certain."""
    seconds = _utc_seconds(pl.col(names.end)) - _utc_seconds(pl.col(names.start))
    told = frame.select_seq(seconds.alias("seconds"), pl.col(names.size).cast(pl.Int64, strict=False).alias("size"))
    fits = (pl.col("size") > 0) & (pl.col("seconds") > 0) & (pl.col("seconds") % pl.col("size") == 0)
    counts = told.select_seq(pl.when(fits).then(pl.col("seconds") // pl.col("size")).otherwise(0).fill_null(0))
    return counts.to_series().to_numpy()


def _utc_seconds(moment: pl.Expr) -> pl.Expr:
    """Seconds since 1970 of moments that are good each for itself and have no fraction; null for others."""
    return pl.when(moment.str.len_bytes().is_in([20, 25])).then(epoch_seconds(moment))
