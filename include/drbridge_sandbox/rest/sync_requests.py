"""Sync requests in DACS and in the CIS: each waits for one acknowledgement, and is final after it."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from fastapi import Request
from fastapi.responses import Response
from pydantic import Field, model_validator

from drbridge_sandbox.rest.answers import Answer, Refused
from drbridge_sandbox.rest.bodies import Strict, Text12, Text14, parsed
from drbridge_sandbox.rest.hall import Hall
from drbridge_sandbox.rest.memory import Effect, Tx

SYNC_PATH = "/rest/apis/common/sync/syncRequest/{sync_request_id}"
ACKNOWLEDGEMENT_PATH = "/rest/apis/cross/digitalAssets/programEnrollments/postAcknowledgement"

Sequence = Annotated[int, Field(ge=-999, le=999)]
MessageCode = Annotated[int, Field(ge=-99999, le=99999)]
LongText = Annotated[str, Field(max_length=2000)]
ExternalKey = Annotated[str, Field(max_length=60)]


class MessageParameter(Strict):
    """A value that goes into the text of a message."""

    parameter_sequence: Sequence
    message_parameter_value: LongText


class ExceptionInfo(Strict):
    """Why a sync request failed on the other side."""

    sequence: Sequence
    message_category: MessageCode
    message_number: MessageCode
    comments: Annotated[str, Field(max_length=254)] | None = None
    message_parameters: list[MessageParameter] = Field(default_factory=list)


class ExternalId(Strict):
    """A key the other side gave to the entity."""

    entity: ExternalKey
    external_pk1: ExternalKey | None = None
    external_pk2: ExternalKey | None = None
    external_pk3: ExternalKey | None = None
    external_pk4: ExternalKey | None = None
    external_pk5: ExternalKey | None = None


class DeviceHeadEndStatus(Strict):
    """Whether one device is registered in its head-end system."""

    device_id: Text12
    head_end_registration: Literal["D1RE", "D1NR", "D1DR"]
    message: LongText | None = None


class _Verdict(Strict):
    sync_request_id: Text14
    has_error: bool
    exception_info: list[ExceptionInfo] | None = None

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.exception_info and not self.has_error:
            raise ValueError("exceptionInfo is given although hasError is false")
        return self


class UpdateSyncRequest(_Verdict):
    """What the other side made of a sync request."""

    external_ids: list[ExternalId] | ExternalId | None = None


class PostAcknowledgement(_Verdict):
    """What the other side made of an enrollment, device by device (25.10)."""

    device_headend_status: list[DeviceHeadEndStatus] = Field(default_factory=list)


def take_at(hall: Hall) -> None:
    """Adds the service that ends sync requests: the framework of DACS and of the CIS has the same."""

    @hall.app.patch(SYNC_PATH)
    async def take(sync_request_id: str, request: Request) -> Response:
        def act(tx: Tx, body: bytes, refused: frozenset[str]) -> Answer:
            return update_sync_request(tx, sync_request_id, body, refused)

        return await hall.take_json(request, "updateSyncRequest", act)


def update_sync_request(tx: Tx, sync_request_id: str, body: bytes, refused: frozenset[str]) -> Answer:
    """Ends a sync request."""
    update = parsed(UpdateSyncRequest, body)
    if update.sync_request_id != sync_request_id:
        raise Refused(400, "The sync request id in the path and in the body differ")
    return _end(tx, update, refused)


def post_acknowledgement(tx: Tx, body: bytes, refused: frozenset[str]) -> Answer:
    """Ends the sync request of an enrollment, and notes the head-end's word on each device."""
    update = parsed(PostAcknowledgement, body)
    answer = _end(tx, update, refused)
    tx.effects(
        "device_registration",
        (
            Effect(f"{update.sync_request_id}/{each.device_id}", each.device_id, each.head_end_registration)
            for each in update.device_headend_status
        ),
    )
    return answer


def _end(tx: Tx, update: _Verdict, refused: frozenset[str]) -> Answer:
    id_ = update.sync_request_id
    state = tx.sync_state(id_)
    if state is None:
        raise Refused(404, f"There is no sync request {id_}")
    if state != "PENDING":
        raise Refused(400, f"Duplicate acknowledgement: sync request {id_} is already final ({state})")
    if id_ in refused:
        raise Refused(400, f"Sync request {id_} cannot be updated now")
    state = "ERROR" if update.has_error else "SYNCHRONIZED"
    tx.end_sync(id_, state)
    tx.effects("sync_request", [Effect(id_, id_, state)])
    return Answer(200, {"syncRequestId": id_, "boStatus": state}, rows=1)
