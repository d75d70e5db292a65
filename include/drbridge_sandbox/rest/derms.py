"""The DERMS as far as its REST services are called: files, acknowledgements, and what DACS wants it to know."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Annotated, BinaryIO, Literal

from fastapi import Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from drbridge_sandbox.rest import aggregators, availability, customers, device_status, enrollment_syncs, program_rules
from drbridge_sandbox.rest.answers import Answer, Refused
from drbridge_sandbox.rest.auth import OAuthError
from drbridge_sandbox.rest.bodies import need_not_refused, parsed
from drbridge_sandbox.rest.hall import Hall, is_late
from drbridge_sandbox.rest.memory import Effect, Tx
from drbridge_sandbox.rest.msg_ack import Verdict, answer
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

AckCode = Literal["SUCCESS", "ERROR", "FAILURE"]
Moment = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")]
Decide = Callable[[Tx, bytes, frozenset[str]], Verdict]
FileRead = Callable[[BinaryIO, frozenset[str]], Iterator[Effect]]


class AckResponse(BaseModel):
    """What became of one record."""

    model_config = ConfigDict(strict=True, extra="forbid")

    id: str
    responseCode: AckCode  # noqa: N815
    value: str | None = None
    responseTimeISO: Moment | None = None  # noqa: N815
    dacsMessageId: str | None = None  # noqa: N815


class Acknowledgement(BaseModel):
    """What became of a message the DERMS has sent; members it does not know are passed over."""

    model_config = ConfigDict(strict=True)

    messageId: Annotated[str, Field(min_length=1)]  # noqa: N815
    ackType: AckCode  # noqa: N815
    whenISO: Moment  # noqa: N815
    dacsMessageId: str | None = None  # noqa: N815
    responses: list[AckResponse]


VERDICTS: Mapping[str, tuple[str, Decide]] = {
    "/enroll": ("enroll", enrollment_syncs.take),
    "/status_check": ("statusCheck", device_status.check),
    "/programs": ("programs", program_rules.take),
    "/aggregators": ("aggregators", aggregators.take),
    "/optOuts": ("optOuts", availability.opt_out),
    "/unavailabilities": ("unavailabilities", availability.be_unavailable),
}
MAY_BE_LATE = ("/enroll", "/programs", "/aggregators")


def build(hall: Hall) -> None:
    """Adds the services of the DERMS to its app."""
    app = hall.app

    @app.post("/oauth/token")
    async def token(request: Request) -> Response:
        async with request.form() as form:
            fields = {name: value for name, value in form.items() if isinstance(value, str)}
        try:
            return JSONResponse(hall.doorman.token(request.headers.get("authorization"), fields))
        except OAuthError as error:
            return JSONResponse({"error": error.code}, error.status)

    @app.post("/deviceScore")
    async def device_score(request: Request) -> Response:
        return await hall.take_file(request, "deviceScore", _take_scores)

    @app.post("/loadForecast")
    async def load_forecast(request: Request) -> Response:
        return await hall.take_file(request, "loadForecast", _take_forecast)

    @app.post("/acks")
    async def acks(request: Request) -> Response:
        return await hall.take_json(request, "acks", _take_ack)

    @app.post("/customers")
    async def customer_file(request: Request) -> Response:
        return await hall.take_file(request, "customers", customers.take)

    for path, (operation, decide) in VERDICTS.items():
        _decide_at(hall, path, operation, decide)
    _build_questions(hall)


def _decide_at(hall: Hall, path: str, operation: str, decide: Decide) -> None:
    @hall.app.post(path)
    async def take(request: Request) -> Response:
        late = path in MAY_BE_LATE and is_late(request.scope)

        def act(tx: Tx, body: bytes, refused: frozenset[str]) -> Answer:
            return answer(tx, decide(tx, body, refused), late)

        return await hall.take_json(request, operation, act)


def _build_questions(hall: Hall) -> None:
    app = hall.app

    @app.get("/programs")
    async def programs(request: Request) -> Response:
        return await hall.look(request, program_rules.list_of)

    @app.get("/aggregators")
    async def der_aggregators(request: Request) -> Response:
        return await hall.look(request, aggregators.list_of)

    @app.get("/health")
    async def health(request: Request) -> dict[str, str]:
        hall.doorman.admit(request.headers.get("authorization"))
        return {"status": "UP"}


def _take_scores(tx: Tx, file: BinaryIO, refused: frozenset[str]) -> Answer:
    rows = tx.effects("device_score", _scores(file, refused))
    _need_each_once(tx, "device_score", rows)
    return Answer(202, {"status": "ACCEPTED", "rows": rows}, rows=rows)


def _take_forecast(tx: Tx, file: BinaryIO, refused: frozenset[str]) -> Answer:
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


def _take_ack(tx: Tx, body: bytes, refused: frozenset[str]) -> Answer:
    ack = parsed(Acknowledgement, body)
    need_not_refused(refused, ack.messageId)
    tx.effects("ack", [Effect(ack.messageId, ack.messageId, f"{ack.ackType},{len(ack.responses)}")])
    return Answer(200, {"messageId": ack.messageId, "status": "RECEIVED"}, rows=1)
