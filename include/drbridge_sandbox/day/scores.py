"""Device scores: the file with a row for every device, drawn in blocks so that millions are quick to write."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from pathlib import Path
from random import Random

import numpy as np
import polars as pl

from drbridge_sandbox.day import ids
from drbridge_sandbox.day.drawn import Drawn, looked_up, write_drawn
from drbridge_sandbox.day.planting import Layout, Spoil

HEADER = (
    "deviceId", "nicId", "headEndSystem", "programSubscriptionId", "programCode", "servicePointId",
    "calculationDateTime", "deviceScore", "availabilityFlag",
)  # fmt: skip
LAYOUT = Layout(
    HEADER,
    (
        Spoil("too_few_fields"),
        Spoil("missing", "nicId", ""),
        Spoil("not_a_number", "deviceScore", "high"),
        Spoil("nan", "deviceScore", "NaN"),
        Spoil("infinity", "deviceScore", "-Infinity"),
        Spoil("too_precise", "deviceScore", "0.1234567"),
        Spoil("no_offset", "calculationDateTime", "2026-07-13T02:10:00"),
        Spoil("no_such_time", "calculationDateTime", "2026-02-30T02:10:00Z"),
        Spoil("future", "calculationDateTime", "2099-01-01T00:00:00Z"),
        Spoil("not_in_list", "availabilityFlag", "MAYBE"),
        Spoil("too_long", "deviceId", "1234567890123"),
    ),
    other=("deviceScore", "7.000000"),
)


def write_scores(path: Path, devices: int, seed: int, bad_share: float = 0.001, day: date | None = None) -> Drawn:
    """Writes a score file with one row for each device, some of them planted faults, and says which.

    Args:
        devices: rows in the file, repeated ones included; at least 20.
        bad_share: how many of them are spoiled, at least three rows.
        day: of the calculation; yesterday if it is not said.
    """
    on = day or (datetime.now(UTC) - timedelta(days=1)).date()
    random = Random(f"scores {seed} {on}")
    return write_drawn(path, LAYOUT, devices, lambda first, rows: _block(first, rows, seed, on), random, bad_share)


def _block(first: int, rows: int, seed: int, day: date) -> bytes:
    random = np.random.default_rng([seed, day.toordinal(), first])
    device = np.arange(first, first + rows)
    pairs = [f"{value:02x}" for value in range(256)]
    nic = pl.concat_str(
        [pl.lit("44:61"), *(looked_up(pairs, device >> shift & 255) for shift in (24, 16, 8, 0))], separator=":"
    )
    seconds = [f"{day}T02:{second // 60:02d}:{second % 60:02d}Z" for second in range(3600)]
    micros = pl.lit(pl.Series(random.integers(0, 1_000_000, rows))).cast(pl.String).str.zfill(6)
    number = pl.lit(pl.Series(device)).cast(pl.String)
    frame = pl.select(
        deviceId=number.str.zfill(12),
        nicId=nic,
        headEndSystem=looked_up(ids.HEAD_ENDS, device % len(ids.HEAD_ENDS)),
        programSubscriptionId=pl.concat_str(pl.lit("2"), number.str.zfill(13)),
        programCode=looked_up([code for _, code in ids.PROGRAMS], device % len(ids.PROGRAMS)),
        servicePointId=number.str.zfill(12),
        calculationDateTime=looked_up(seconds, random.integers(0, 3600, rows)),
        deviceScore=pl.concat_str(pl.lit("0."), micros),
        availabilityFlag=looked_up(("Y", "N"), (random.random(rows) < 0.07).astype(int)),
    )
    buffer = BytesIO()
    frame.write_csv(buffer, include_header=False, quote_style="never")
    return buffer.getvalue()
