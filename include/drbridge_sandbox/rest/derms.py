"""The DERMS as far as its REST services are called: files, acknowledgements, and what DACS wants it to know."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Literal

from fastapi import Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from drbridge_sandbox.rest import (
    aggregators,
    availability,
    customers,
    derms_files,
    device_status,
    enrollment_syncs,
    program_rules,
)
from drbridge_sandbox.rest.answers import Answer
from drbridge_sandbox.rest.auth import OAuthError
from drbridge_sandbox.rest.bodies import need_not_refused, parsed
from drbridge_sandbox.rest.hall import FileAct, Hall, is_late
from drbridge_sandbox.rest.memory import Effect, Tx
from drbridge_sandbox.rest.msg_ack import Verdict, answer

AckCode = Literal["SUCCESS", "ERROR", "FAILURE"]
Moment = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")]
Decide = Callable[[Tx, bytes, frozenset[str]], Verdict]


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
FILES: Mapping[str, FileAct] = {
    "deviceScore": derms_files.take_scores,
    "loadForecast": derms_files.take_forecast,
    "customers": customers.take,
}
MAY_BE_LATE = ("/enroll", "/programs", "/aggregators")


def build(hall: Hall) -> None:
    """Adds the services of the DERMS to its app."""

    @hall.app.post("/oauth/token")
    async def token(request: Request) -> Response:
        async with request.form() as form:
            fields = {name: value for name, value in form.items() if isinstance(value, str)}
        try:
            return JSONResponse(hall.doorman.token(request.headers.get("authorization"), fields))
        except OAuthError as error:
            return JSONResponse({"error": error.code}, error.status)

    hall.take_json_at("/acks", "acks", _take_ack)
    for operation, take in FILES.items():
        hall.take_file_at(f"/{operation}", operation, take)
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


def _take_ack(tx: Tx, body: bytes, refused: frozenset[str]) -> Answer:
    ack = parsed(Acknowledgement, body)
    need_not_refused(refused, ack.messageId)
    tx.effects("ack", [Effect(ack.messageId, ack.messageId, f"{ack.ackType},{len(ack.responses)}")])
    return Answer(200, {"messageId": ack.messageId, "status": "RECEIVED"}, rows=1)
