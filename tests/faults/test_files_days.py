"""Days of 23, 24 and 25 hours in every time zone of the USA, on machines of every zone; clocks that step."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from itertools import cycle
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from drbridge.exchange.desk import Desk, SystemClock
from drbridge.exchange.waiting import look
from drbridge.exchange.work import Work
from drbridge.ledger.tables import intakes
from drbridge_sandbox.sandbox import Sandbox
from tests.faults.ways import TAKEN, Way, arrived, balances, states
from tests.unit.checks.helpers import Checked, check
from tests.unit.good_rows import GOOD, csv_of

ZONES = [
    "America/New_York", "America/Detroit", "America/Kentucky/Louisville", "America/Indiana/Indianapolis",
    "America/Chicago", "America/Menominee", "America/Denver", "America/Boise", "America/Phoenix",
    "America/Los_Angeles", "America/Anchorage", "America/Juneau", "America/Adak", "Pacific/Honolulu",
    "America/Puerto_Rico", "Pacific/Guam", "Pacific/Pago_Pago",
]  # fmt: skip
NO_SUMMER_TIME = {"America/Phoenix", "Pacific/Honolulu", "America/Puerto_Rico", "Pacific/Guam", "Pacific/Pago_Pago"}
SPRING, AUTUMN, ORDINARY = date(2026, 3, 8), date(2026, 11, 1), date(2026, 7, 14)
HOURS = {SPRING: 23, AUTUMN: 25, ORDINARY: 24}
SetZone = Callable[[str], None]


@pytest.fixture
def machine_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[SetZone]:
    """Moves the machine into a time zone."""

    def move(zone: str) -> None:
        monkeypatch.setenv("TZ", zone)
        time.tzset()

    yield move
    monkeypatch.undo()
    time.tzset()


def hours_of(day: date, zone: str) -> int:
    return 24 if zone in NO_SUMMER_TIME else HOURS[day]


def midnight(day: date, zone: str) -> str:
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).isoformat()


def whole_day(noun: str, day: date, zone: str, hours: int, point: str) -> dict[str, str | None]:
    """A row about one local day, an hour an interval."""
    start, end = midnight(day, zone), midnight(day + timedelta(days=1), zone)
    values = {"load_forecast": "KwReduction", "kwh_avoided": "KwhSaved", "kw_drop": "KwDrop"}[noun]
    row: dict[str, str | None] = {f"{values}{number}": "1" if number <= hours else "" for number in range(1, 27)}
    row |= {"SPId": point, "IntervalSize(Seconds)": "3600"}
    if noun == "load_forecast":
        told = {"ForecastRunTime": start, "ForecastStartTime": start, "ForecastEndTime": end}
        return row | told | {"TotalKwReductionAvg": "1"}
    told = {"ActualStartTime": start, "ActualEndTime": end}
    return row | told | ({"MaxKwDrop": "1"} if noun == "kw_drop" else {"TotalKwhSavedForPeriod": f"{hours}"})


def checked(noun: str, zone: str, folder: Path) -> Checked:
    """A file of three good days, and of the same with an hour too many."""
    rows = [whole_day(noun, day, zone, hours_of(day, zone), f"{number}") for number, day in enumerate(HOURS)]
    rows += [whole_day(noun, day, zone, hours_of(day, zone) + 1, f"{number}") for number, day in enumerate(HOURS, 3)]
    names = dict.fromkeys([*GOOD[noun], *rows[0]])
    full = [{name: row.get(name, GOOD[noun].get(name)) for name in names} for row in rows]
    lines = [",".join(names), *(",".join(row[name] or "" for name in names) for row in full)]
    return check(noun, "\n".join([*lines, ""]).encode(), folder)


@pytest.mark.parametrize("noun", ["load_forecast", "kwh_avoided", "kw_drop"])
def test_days_of_23_24_and_25_hours_are_taken_in_every_zone_and_an_hour_more_is_not(
    noun: str, machine_in: SetZone, tmp_path: Path
) -> None:
    for zone in ZONES:
        machine_in("UTC")
        by_utc = checked(noun, zone, tmp_path / f"{zone}/utc")
        assert by_utc.accepted == {2, 3, 4}, zone
        assert {line: {code for _, code in found} for line, found in by_utc.rejected.items()} == dict.fromkeys(
            (5, 6, 7), {"interval_count"}
        )
        machine_in(zone)
        here = checked(noun, zone, tmp_path / f"{zone}/here")
        assert (here.accepted, here.rejected) == (by_utc.accepted, by_utc.rejected), zone
        assert here.report.business_at == by_utc.report.business_at, zone


def test_the_hour_that_comes_twice_is_two_hours(tmp_path: Path) -> None:
    """01:30 in summer time and 01:30 in winter time of one night are an hour apart, and two keys."""
    twice: list[dict[str, str | None]] = [
        {"ForecastStartTime": f"2026-11-01T01:30:00-0{offset}:00", "ForecastEndTime": "2026-11-01T05:30:00-05:00",
         "KwReduction1": "1", "KwReduction2": "1", "KwReduction3": "1", "KwReduction4": "1",
         "KwReduction5": "1" if offset == 4 else "", "TotalKwReductionAvg": "1",
         "ForecastRunTime": "2026-10-31T03:00:00-04:00"}
        for offset in (4, 5)
    ]  # fmt: skip
    found = check("load_forecast", csv_of("load_forecast", *twice), tmp_path)
    assert (found.accepted, found.report.duplicate) == ({2, 3}, 0)
    outcomes: list[dict[str, str | None]] = [
        {"participationStartDateTime": f"2026-11-01T01:30:00-0{start}:00",
         "participationEndDateTime": f"2026-11-01T01:30:00-0{end}:00", "nicId": f"{start}{end}"}
        for start, end in ((4, 5), (5, 4))
    ]  # fmt: skip
    assert check("event_outcome", csv_of("event_outcome", *outcomes), tmp_path / "2").accepted == {2}


def test_a_business_date_does_not_depend_on_the_zone_of_the_machine(
    desk: Desk, box: Sandbox, machine_in: SetZone
) -> None:
    """Half past six in the evening of the 13th in Chicago is the 14th."""
    day = Work(
        since=datetime(2026, 7, 14, tzinfo=UTC), until=datetime(2026, 7, 15, tzinfo=UTC), by_hand=True, settled_too=True
    )
    for number, zone in enumerate(("UTC", "America/Chicago", "Pacific/Honolulu", "Pacific/Guam")):
        machine_in(zone)
        name = f"SDCSE_{number:04d}_00.csv"
        box.drop(TAKEN.url, name, TAKEN.data(number + 1).replace(b"2026-07-13T02:10:00Z", b"2026-07-13T19:30:00-05:00"))
        assert states(desk, TAKEN) == {name: "settled"}
        assert look(desk, TAKEN.flow, day).ready[-1] == name
    with desk.ledger.read() as tx:
        moments = set(tx.execute(select(intakes.c.business_at)).scalars())
    assert moments == {datetime(2026, 7, 14, 0, 30, tzinfo=UTC).timestamp()}


@dataclass
class SteppingClock(SystemClock):
    """A clock of the day that is set, each time somebody looks, by hours or days; the time that passes goes on."""

    steps: Iterator[float] = field(default_factory=lambda: cycle([3600.0, -3600.0, 86_400.0, -86_400.0, 0.0]))

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=next(self.steps))


def test_a_clock_that_steps_loses_nothing_and_sends_nothing_twice(desk: Desk, box: Sandbox, way: Way) -> None:
    stepping = replace(desk, clock=SteppingClock())
    for number in range(1, 4):
        name = way.name.replace("0042", f"000{number}")
        data = (
            way
            .data(3)
            .replace(b"02:10:00Z", f"02:1{number}:00Z".encode())
            .replace(b"T15:00", f"T15:0{number}".encode())
        )
        box.drop(way.url, name, data, mtime=time.time() + 3600.0 * (-1) ** number)
        assert states(stepping, way) == {name: "settled"}
    assert states(stepping, way) == {}
    assert balances(desk)
    if way.arrived:
        assert len(arrived(box, way)) == 3
    else:
        assert {each["effects"] for each in box.far("derms").effects_of("device_score").values()} == {1}
        assert box.far("derms").calls("deviceScore") == 3
