"""DACS (sold as CPMCS today) as far as its REST services are called: sync requests and event outcomes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, Literal, Self, TypeVar

from fastapi import Request
from fastapi.responses import Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from drbridge_sandbox.rest.answers import Answer, Refused
from drbridge_sandbox.rest.hall import Hall
from drbridge_sandbox.rest.memory import Effect, Tx

SYNC_PATH = "/rest/apis/common/sync/syncRequest/{sync_request_id}"
OUTCOME_PATH = "/rest/apis/cross/service/programEventParticipation/postEventOutcome"
MOST_OUTCOMES = 1000
Model = TypeVar("Model", bound=BaseModel)
UTC_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|\+00:00)")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class MessageParameter(_Strict):
    """A value that goes into the text of a message."""

    parameterSequence: Annotated[int, Field(ge=-999, le=999)]  # noqa: N815
    messageParameterValue: Annotated[str, Field(max_length=2000)]  # noqa: N815


class ExceptionInfo(_Strict):
    """Why a sync request failed on the other side."""

    sequence: Annotated[int, Field(ge=-999, le=999)]
    messageCategory: Annotated[int, Field(ge=-99999, le=99999)]  # noqa: N815
    messageNumber: Annotated[int, Field(ge=-99999, le=99999)]  # noqa: N815
    comments: Annotated[str, Field(max_length=254)] | None = None
    messageParameters: list[MessageParameter] = Field(default_factory=list)  # noqa: N815


class ExternalId(_Strict):
    """A key the other side gave to the entity."""

    entity: Annotated[str, Field(max_length=60)]
    externalPk1: Annotated[str, Field(max_length=60)] | None = None  # noqa: N815
    externalPk2: Annotated[str, Field(max_length=60)] | None = None  # noqa: N815
    externalPk3: Annotated[str, Field(max_length=60)] | None = None  # noqa: N815
    externalPk4: Annotated[str, Field(max_length=60)] | None = None  # noqa: N815
    externalPk5: Annotated[str, Field(max_length=60)] | None = None  # noqa: N815


class UpdateSyncRequest(_Strict):
    """What the other side made of a sync request."""

    syncRequestId: Annotated[str, Field(min_length=1, max_length=14)]  # noqa: N815
    hasError: bool  # noqa: N815
    externalIds: list[ExternalId] | ExternalId | None = None  # noqa: N815
    exceptionInfo: list[ExceptionInfo] | None = None  # noqa: N815

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.exceptionInfo and not self.hasError:
            raise ValueError("exceptionInfo is given although hasError is false")
        return self


def _utc(value: Any) -> datetime:
    if not isinstance(value, str) or not UTC_TIME.fullmatch(value):
        raise ValueError("a UTC time such as 2026-07-14T18:00:00Z is expected")
    return datetime.fromisoformat(value)


UtcTime = Annotated[datetime, BeforeValidator(_utc)]


class Outcome(_Strict):
    """How one device took part in one event."""

    eventExternalIdentifier: Annotated[str, Field(min_length=1, max_length=120)]  # noqa: N815
    headEndSystem: Annotated[str, Field(min_length=1, max_length=50)]  # noqa: N815
    nicId: Annotated[str, Field(min_length=1, max_length=100)]  # noqa: N815
    outcome: Literal["D1SP", "D1IO", "D1ND", "D1ER", "D1CN"]
    errorMessage: Annotated[str, Field(max_length=100)] | None = None  # noqa: N815
    participationStartDateTime: UtcTime | None = None  # noqa: N815
    participationEndDateTime: UtcTime | None = None  # noqa: N815

    @model_validator(mode="after")
    def _has_times(self) -> Self:
        start, end = self.participationStartDateTime, self.participationEndDateTime
        if self.outcome in ("D1SP", "D1IO") and not (start and end):
            raise ValueError(f"{self.outcome} needs the start and end of the participation")
        if start and end and end < start:
            raise ValueError("the participation ends before it starts")
        return self

    @property
    def key(self) -> str:
        return f"{self.eventExternalIdentifier}/{self.headEndSystem}/{self.nicId}"

    @property
    def effect(self) -> Effect:
        times = [at.strftime("%Y-%m-%dT%H:%M:%SZ") if at else "" for at in (
            self.participationStartDateTime, self.participationEndDateTime)]  # fmt: skip
        return Effect(self.key, self.key, "|".join([self.outcome, *times, self.errorMessage or ""]))


class PostOutcome(_Strict):
    """A list of outcomes; each is checked on its own."""

    postOutcomeList: list[dict[str, Any]] = Field(min_length=1)  # noqa: N815


def build(hall: Hall) -> None:
    """Adds the services of DACS to its app."""
    app = hall.app

    @app.patch(SYNC_PATH)
    async def update_sync_request(sync_request_id: str, request: Request) -> Response:
        def act(tx: Tx, body: bytes, refused: frozenset[str]) -> Answer:
            return _update_sync(tx, sync_request_id, body, refused)

        return await hall.take_json(request, "updateSyncRequest", act)

    @app.post(OUTCOME_PATH)
    async def post_event_outcome(request: Request) -> Response:
        return await hall.take_json(request, "postEventOutcome", _post_outcomes)

    @app.get("/healthCheck")
    @app.get("/rest/apis/healthCheck")
    async def health_check(request: Request) -> dict[str, str]:
        hall.doorman.admit(request.headers.get("authorization"))
        return {"status": "OK"}


def _update_sync(tx: Tx, sync_request_id: str, body: bytes, refused: frozenset[str]) -> Answer:
    update = _parsed(UpdateSyncRequest, body)
    if update.syncRequestId != sync_request_id:
        raise Refused(400, "The sync request id in the path and in the body differ")
    state = tx.sync_state(sync_request_id)
    if state is None:
        raise Refused(404, f"There is no sync request {sync_request_id}")
    if state != "PENDING":
        raise Refused(400, f"Duplicate acknowledgement: sync request {sync_request_id} is already final ({state})")
    if sync_request_id in refused:
        raise Refused(400, f"Sync request {sync_request_id} cannot be updated now")
    state = "ERROR" if update.hasError else "SYNCHRONIZED"
    tx.end_sync(sync_request_id, state)
    tx.effects("sync_request", [Effect(sync_request_id, sync_request_id, state)])
    return Answer(200, {"syncRequestId": sync_request_id, "boStatus": state}, rows=1)


def _post_outcomes(tx: Tx, body: bytes, refused: frozenset[str]) -> Answer:
    items = _parsed(PostOutcome, body).postOutcomeList
    if len(items) > MOST_OUTCOMES:
        raise Refused(413, f"{len(items)} outcomes in one request; at most {MOST_OUTCOMES} are taken")
    outcomes: list[Outcome] = []
    messages: list[str] = []
    for number, item in enumerate(items, 1):
        try:
            outcomes.append(Outcome.model_validate(item))
        except ValidationError as error:
            messages += [f"item {number}: {text}" for text in _texts(error)]
    messages += [f"{key} is named {times} times" for key, times in _repeats(outcomes)]
    messages += [f"{each.key} is refused" for each in outcomes if each.key in refused or each.nicId in refused]
    if messages:
        raise Refused(400, f"{len(messages)} outcomes are wrong, nothing was posted: {messages[0]}", messages)
    tx.effects("event_outcome", (each.effect for each in outcomes))
    return Answer(200, {"processed": len(outcomes)}, rows=len(outcomes))


def _repeats(outcomes: list[Outcome]) -> Iterator[tuple[str, int]]:
    yield from ((key, times) for key, times in Counter(each.key for each in outcomes).items() if times > 1)


def _parsed(model: type[Model], body: bytes) -> Model:
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        texts = _texts(error)
        raise Refused(400, f"The body is not as agreed: {texts[0]}", texts) from error


def _texts(error: ValidationError) -> list[str]:
    return [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors(include_url=False)]
