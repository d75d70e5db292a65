"""Files with a row of intervals for each service point: load forecast, kWh avoided, kW drop."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from random import Random

from drbridge_sandbox.day import ids
from drbridge_sandbox.day.planting import Fields, Layout, Spoil

HOURS, QUARTERS = 24, 8


def _numbered(name: str, count: int) -> tuple[str, ...]:
    return tuple(f"{name}{number}" for number in range(1, count + 1))


FORECAST = Layout(
    ("ProgramId", "SPId", "ForecastRunTime", "ForecastStartTime", "ForecastEndTime", "IntervalSize(Seconds)",
     "TotalKwReductionAvg", *_numbered("KwReduction", HOURS)),
    (
        Spoil("not_the_average", "TotalKwReductionAvg", "999.0000"),
        Spoil("interval_count", "IntervalSize(Seconds)", "1800"),
        Spoil("not_in_list", "IntervalSize(Seconds)", "7200"),
        Spoil("not_a_number", "KwReduction3", "1,5"),
        Spoil("infinity", "KwReduction2", "Infinity"),
        Spoil("run_after_start", "ForecastRunTime", "2099-01-01T00:00:00Z"),
        Spoil("missing", "SPId"),
        Spoil("end_before_start", "ForecastEndTime", "2001-01-01T00:00:00-05:00"),
        Spoil("too_few_fields"),
    ),
    other=("ForecastRunTime", "2020-01-01T00:00:00Z"),
)  # fmt: skip
KWH_AVOIDED = Layout(
    ("EventId", "EventType", "ProgramId", "SPId", "ActualStartTime", "ActualEndTime", "IntervalSize(Seconds)",
     "TotalKwh", "TotalKwhSavedForPeriod", *_numbered("KwhSaved", QUARTERS)),
    (
        Spoil("not_the_sum", "TotalKwhSavedForPeriod", "999.00"),
        Spoil("gap", "KwhSaved4", ""),
        Spoil("interval_count", "IntervalSize(Seconds)", "1800"),
        Spoil("not_a_number", "TotalKwh", "a lot"),
        Spoil("nan", "KwhSaved1", "NaN"),
        Spoil("missing", "ProgramId"),
        Spoil("too_few_fields"),
    ),
    other=("TotalKwh", "1.23"),
)  # fmt: skip
KW_DROP = Layout(
    ("EventId", "ProgramId", "SPId", "ActualStartTime", "ActualEndTime", "IntervalSize(Seconds)", "MaxKwDrop",
     *_numbered("KwDrop", QUARTERS)),
    (
        Spoil("not_the_largest", "MaxKwDrop", "999.00"),
        Spoil("interval_count", "IntervalSize(Seconds)", "1800"),
        Spoil("not_a_number", "KwDrop2", "-"),
        Spoil("no_offset", "ActualStartTime", "2026-07-13T13:00:00"),
        Spoil("missing", "EventId"),
        Spoil("too_few_fields"),
    ),
    other=("KwDrop8", "0.15"),
)  # fmt: skip


def forecasts(random: Random, day: date, rows: int) -> Iterator[Fields]:
    """A day's expected load reduction for each service point, hour by hour; some hours are missing."""
    run, end = f"{day - timedelta(days=1)}T03:00:00Z", f"{day + timedelta(days=1)}T00:00:00-05:00"
    for number in range(rows):
        values: list[int | None] = [random.randrange(-5_000, 40_000) for _ in range(HOURS)]
        if number % 10 == 9:
            values[random.randrange(1, HOURS)] = None
        present = [value for value in values if value is not None]
        average = round(sum(present) / len(present))
        texts = ["" if value is None else _decimal(value, 4) for value in values]
        yield [
            ids.program(number)[0], ids.service_point(number), run, f"{day}T00:00:00-05:00", end, "3600",
            _decimal(average, 4), *texts,
        ]  # fmt: skip


def kwh_avoided(random: Random, day: date, event: str, rows: int) -> Iterator[Fields]:
    """Energy that each service point saved in an event, by quarter of an hour; some used more than usual."""
    for number in range(rows):
        values = [random.randrange(-20, 900) for _ in range(QUARTERS)]
        yield [
            event, "Economic", ids.program(number)[0], ids.service_point(number), f"{day}T13:00:00-05:00",
            f"{day}T15:00:00-05:00", "900", _decimal(7500 + number % 1000, 2), _decimal(sum(values), 2),
            *(_decimal(value, 2) for value in values),
        ]  # fmt: skip


def kw_drop(random: Random, day: date, event: str, rows: int) -> Iterator[Fields]:
    """How far each service point's power fell in an event; quarters without a reading are empty, the last is small."""
    for number in range(rows):
        values: list[int | None] = [random.randrange(100, 2_000) for _ in range(QUARTERS - 1)]
        values.append(random.randrange(11))
        if number % 7 == 3:
            values[random.randrange(QUARTERS - 1)] = None
        largest = max(value for value in values if value is not None)
        texts = ["" if value is None else _decimal(value, 2) for value in values]
        yield [
            event, ids.program(number)[0], ids.service_point(number), f"{day}T13:00:00-05:00",
            f"{day}T15:00:00-05:00", "900", _decimal(largest, 2), *texts,
        ]  # fmt: skip


def _decimal(value: int, places: int) -> str:
    sign, digits = "-" if value < 0 else "", f"{abs(value):0{places + 1}d}"
    return f"{sign}{digits[:-places]}.{digits[-places:]}"
