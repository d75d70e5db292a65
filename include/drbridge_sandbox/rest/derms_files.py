"""Files the DERMS takes as attachments: device scores of DACS and load forecasts of OUAI."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import BinaryIO

from drbridge_sandbox.rest.answers import Answer, Refused
from drbridge_sandbox.rest.bodies import need_not_refused
from drbridge_sandbox.rest.memory import Effect, Tx
from drbridge_sandbox.rest.tables import Column, Row, count, moment, number, one_of, past_moment, read_table, text

SCORE_COLUMNS = (
    Column("deviceId", text(12)),
    Column("nicId", text(100)),
    Column("headEndSystem", text(50), repeats=True),
    Column("programSubscriptionId", text(14)),
    Column("programCode", text(30), repeats=True),
    Column("servicePointId", text(12), required=False),
    Column("calculationDateTime", past_moment, repeats=True),
    Column("deviceScore", number(18, 6)),
    Column("availabilityFlag", one_of("Y", "N"), repeats=True),
    Column("activationCost", number(18, 6, signed=False), required=False),
    Column("burnRate", number(18, 6, signed=False), required=False),
    Column("successfulParticipations", count, required=False),
    Column("participationLimit", count, required=False),
    Column("daysSinceLastEvent", count, required=False),
    Column("daysInCycle", count, required=False),
)
INTERVAL_SIZES = ("300", "900", "1800", "3600")
FORECAST_COLUMNS = (
    Column("ProgramId", text(14)),
    Column("SPId", text(12)),
    Column("ForecastRunTime", moment),
    Column("ForecastStartTime", moment),
    Column("ForecastEndTime", moment),
    Column("IntervalSize(Seconds)", one_of(*INTERVAL_SIZES)),
    Column("TotalKwReductionAvg", number(12, 4)),
)
AVERAGE_TOLERANCE = 0.0010001


def take_scores(tx: Tx, file: BinaryIO, refused: frozenset[str]) -> Answer:
    """Takes a file of device scores whole, or not at all."""
    rows = tx.effects("device_score", _scores(file, refused))
    _need_each_once(tx, "device_score", rows)
    return Answer(202, {"status": "ACCEPTED", "rows": rows}, rows=rows)


def take_forecast(tx: Tx, file: BinaryIO, refused: frozenset[str]) -> Answer:
    """Takes a load forecast whole, or not at all."""
    rows = tx.effects("load_forecast", _forecasts(file, refused))
    _need_each_once(tx, "load_forecast", rows)
    return Answer(200, {"status": "ACCEPTED", "rows": rows}, rows=rows)


def _need_each_once(tx: Tx, noun: str, rows: int) -> None:
    if tx.entities_heard(noun) != rows:
        raise Refused(400, "The file names the same thing more than once")


def _scores(file: BinaryIO, refused: frozenset[str]) -> Iterator[Effect]:
    at: tuple[int, ...] = ()
    for header, rows in read_table(file, SCORE_COLUMNS):
        names = ("headEndSystem", "nicId", "programCode", "calculationDateTime", "deviceScore", "availabilityFlag")
        at = at or tuple(map(header.index, names))
        head_end, nic, program, when, score, flag = at
        for row in rows:
            entity = f"{row[head_end]}/{row[nic]}/{row[program]}"
            if refused:
                need_not_refused(refused, entity, row[nic])
            yield Effect(f"{entity}/{row[when]}", entity, f"{row[score]},{row[flag]}", _stamp(row[when]))


def _forecasts(file: BinaryIO, refused: frozenset[str]) -> Iterator[Effect]:
    done = 0
    for header, rows in read_table(file, FORECAST_COLUMNS, "KwReduction", number(12, 4)):
        at = {name: index for index, name in enumerate(header)}
        values = [at[f"KwReduction{n}"] for n in range(1, len(header) - len(FORECAST_COLUMNS) + 1)]
        for row in rows:
            done += 1
            _check_forecast(row, at, values, done)
            program, point, start = row[at["ProgramId"]], row[at["SPId"]], _stamp(row[at["ForecastStartTime"]])
            entity = f"{program}/{point}/{start}"
            need_not_refused(refused, entity, point)
            told = ",".join(row[each] for each in values).rstrip(",")
            yield Effect(entity, entity, told, _stamp(row[at["ForecastRunTime"]]))


def _check_forecast(row: Row, at: dict[str, int], values: list[int], number_: int) -> None:
    start, end = moment(row[at["ForecastStartTime"]]), moment(row[at["ForecastEndTime"]])
    intervals, rest = divmod((end - start).total_seconds(), int(row[at["IntervalSize(Seconds)"]]))
    given = [row[each] for each in values[: int(intervals)]]
    present = [float(value) for value in given if value]
    average = float(row[at["TotalKwReductionAvg"]])
    if end <= start or rest or not 0 < intervals <= len(values) or any(row[each] for each in values[int(intervals) :]):
        raise Refused(400, f"Row {number_}: the values do not fit the period")
    if moment(row[at["ForecastRunTime"]]) > start:
        raise Refused(400, f"Row {number_}: the forecast was made after its period began")
    if not present or abs(sum(present) / len(present) - average) > AVERAGE_TOLERANCE:
        raise Refused(400, f"Row {number_}: {average} is not the average of the values")


@lru_cache(maxsize=1 << 16)
def _stamp(value: str) -> str:
    return moment(value).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
