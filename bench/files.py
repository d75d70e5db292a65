"""Large files for the benches: kWh avoided, event outcomes, acknowledgements. Drawn from a seed, with 0.1 % planted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from random import Random

import numpy as np
import polars as pl

from drbridge_sandbox.day import ids, intervals, outcomes
from drbridge_sandbox.day.drawn import Drawn, looked_up, write_drawn
from drbridge_sandbox.day.planting import Layout, Spoil

YESTERDAY = (datetime.now(UTC) - timedelta(days=1)).date()
ACK_HEADER = (
    "syncRequestId,programSubscriptionId,ackStatus,messageCategory,messageNumber,messageText,messageParameters,"
    "processedDateTime,sourceFileName\n"
)
STAGES = ("260713011", "260713012", "260713013")
QUARTER = timedelta(minutes=15)
FAULTS = tuple(each for each in intervals.KWH_AVOIDED.spoils if each.kind != "interval_count")


def write_kwh_avoided(path: Path, rows: int, seed: int = 1, intervals_each: int = 16) -> Drawn:
    """Energy saved in one event, a row for each service point with so many quarters of an hour."""
    names = tuple(f"KwhSaved{number}" for number in range(1, intervals_each + 1))
    layout = Layout(
        intervals.KWH_AVOIDED.header[:9] + names, (*FAULTS, Spoil("interval_count", "IntervalSize(Seconds)", "1800")),
        intervals.KWH_AVOIDED.other,
    )  # fmt: skip
    end = datetime(YESTERDAY.year, YESTERDAY.month, YESTERDAY.day, tzinfo=UTC) + intervals_each * QUARTER

    def block(first: int, count: int) -> bytes:
        random = np.random.default_rng([seed, first])
        saved = random.integers(0, 900, (count, intervals_each))
        return _csv(
            EventId=pl.lit("26071301"), EventType=pl.lit("Economic"),
            ProgramId=looked_up([number for number, _ in ids.PROGRAMS], np.arange(first, first + count) % 3),
            SPId=_number(np.arange(first, first + count), 12),
            ActualStartTime=pl.lit(f"{YESTERDAY}T00:00:00Z"), ActualEndTime=pl.lit(f"{end:%Y-%m-%dT%H:%M:%SZ}"),
            IntervalSize=pl.lit("900"), TotalKwh=_cents(random.integers(5_000, 90_000, count)),
            TotalSaved=_cents(saved.sum(axis=1)),
            **{name: _cents(saved[:, place]) for place, name in enumerate(names)},
        )  # fmt: skip

    return write_drawn(path, layout, rows, block, Random(f"kwh {seed}"), 0.001)


def write_outcomes(path: Path, rows: int, seed: int = 1, bad_share: float = 0.001) -> Drawn:
    """Outcomes of an event in three stages, a row for each device and stage."""
    devices = -(-rows // 3)
    start, end = f"{YESTERDAY}T18:00:00Z", f"{YESTERDAY}T20:00:00Z"

    def block(first: int, count: int) -> bytes:
        row = np.arange(first, first + count)
        device, stage = row % devices, row // devices
        random = np.random.default_rng([seed, first])
        return _csv(
            recordId=_number(row, 1), eventId=pl.lit("26071301"), stageId=looked_up(STAGES, stage),
            programId=looked_up([number for number, _ in ids.PROGRAMS], device % 3),
            servicePointId=_number(device, 12), nicId=_nic(device),
            headEndSystemId=looked_up(ids.HEAD_ENDS, device % len(ids.HEAD_ENDS)),
            outcome=looked_up(["SUCCESS", "OVERRIDE"], (random.random(count) < 0.1).astype(int)),
            start=pl.lit(start), end=pl.lit(end), errorMessage=pl.lit(""),
        )  # fmt: skip

    return write_drawn(path, outcomes.LAYOUT, rows, block, Random(f"outcomes {seed}"), bad_share)


def write_acks(path: Path, rows: int) -> None:
    """Acknowledgements of so many sync requests, all of them good."""
    with path.open("w", encoding="utf-8") as file:
        file.write(ACK_HEADER)
        for number in range(rows):
            request, subscription = ids.sync_request(YESTERDAY, number), ids.subscription(number)
            file.write(
                f"{request},{subscription},SUCCESS,,,,,{YESTERDAY}T05:58:11Z,ENROLL_SYNC_20260714T040000Z_1.csv\n"
            )


def _nic(device: np.ndarray) -> pl.Expr:
    pairs = [f"{value:02x}" for value in range(256)]
    parts = (looked_up(pairs, device >> shift & 255) for shift in (24, 16, 8, 0))
    return pl.concat_str([pl.lit("44:61"), *parts], separator=":")


def _number(values: np.ndarray, digits: int) -> pl.Expr:
    return pl.lit(pl.Series(values)).cast(pl.String).str.zfill(digits)


def _cents(values: np.ndarray) -> pl.Expr:
    whole, rest = pl.lit(pl.Series(values // 100)).cast(pl.String), pl.lit(pl.Series(values % 100)).cast(pl.String)
    return pl.concat_str(whole, pl.lit("."), rest.str.zfill(2))


def _csv(**columns: pl.Expr) -> bytes:
    buffer = BytesIO()
    pl.select([each.alias(name) for name, each in columns.items()]).write_csv(
        buffer, include_header=False, quote_style="never"
    )
    return buffer.getvalue()
