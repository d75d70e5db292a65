"""What must hold across the rows of a file, each of them good for itself."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from drbridge.contracts.kinds import epoch_seconds

FOR_EVER = (1 << 63) - 1
_MICROS = 1_000_000


@dataclass(frozen=True)
class Periods:
    """Times that must not overlap between the rows about one thing, as a service point has one feeder at a time.

    Attributes:
        of: the columns that name the thing.
        start: when a row's period begins.
        end: when it ends; that moment is outside of it, and a period without an end lasts for ever.
        counts: true for the rows that claim their period.
    """

    of: tuple[str, ...]
    start: str
    end: str
    counts: pl.Expr

    def claimed(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The claims of accepted rows: `line`, `start` and `end` in microseconds from 1970, and the thing's columns."""
        end = _micros(pl.col(self.end)) if self.end in frame.columns else pl.lit(None, pl.Int64)
        return frame.filter(self.counts).select(
            "line", *self.of, _micros(pl.col(self.start)).alias("start"), end.fill_null(FOR_EVER).alias("end")
        )


def _micros(moment: pl.Expr) -> pl.Expr:
    digits = moment.str.extract(r"\.([0-9]{1,6})").fill_null("").str.pad_end(6, "0")
    return epoch_seconds(moment) * _MICROS + digits.cast(pl.Int64)


@dataclass(frozen=True)
class Totals:
    """Amounts that are added up to be compared with what the sender says they come to.

    Attributes:
        amount: the column of amounts.
        per: the column they are added up by, as amounts of two currencies never are one sum.
    """

    amount: str
    per: str
