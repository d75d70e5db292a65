"""The REST operations by name: which fields go where, as the other side publishes them.

An endpoint in `systems.toml` names one of these.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from drbridge.contracts import Message, device_reservation, enrollment_ack, event_outcome, event_status
from drbridge.contracts.device_reservation import DeviceReservation
from drbridge.contracts.event_status import EventStatus
from drbridge.contracts.stage_path import BEHIND, Reached
from drbridge.errors import Misconfigured
from drbridge.exchange.operation import Address, Asking, Fields, Operation, read_json
from drbridge.ports import JsonValue, Reply
from drbridge.systems import Endpoint, Site


def _outcomes(rows: Sequence[Fields], site: Site) -> JsonValue:
    return event_outcome.to_post_outcome_list(rows, site.program_event_key)


def _sync_request(rows: Sequence[Fields], site: Site) -> JsonValue:
    return enrollment_ack.to_update_sync_request(rows[0], site.default_message_category)


def _reservation(message: Message, rows: Sequence[Fields], site: Site) -> JsonValue:
    assert isinstance(message, DeviceReservation)
    return device_reservation.to_reserve_device(message, rows, site.program_event_key)


def _program_event(message: Message, part: int, site: Site) -> Address:
    """A stage that was scheduled is created; any other status is an action on it."""
    assert isinstance(message, EventStatus)
    if message.stage_status == "SCHEDULED":
        return Address(event_status.to_create_program_event(message, site.program_event_key))
    return Address(event_status.to_action_program_event(message, part, site.program_event_key), "lifecycle")


def _program_event_asked(message: Message, part: int, site: Site) -> str:
    assert isinstance(message, EventStatus)
    stage = message.stage_of(part) if site.program_event_key == "stage" else message.event_id
    return quote(stage or "", safe="")


def _has_not_reached(reply: Reply, reaches: str) -> bool:
    """Whether a program event has not come as far yet as the message would bring it."""
    data = read_json(reply.body)
    status, wanted = data.get("status") if isinstance(data, dict) else None, Reached.from_text(reaches).status
    return status != wanted and not any(status == then and wanted in BEHIND[then] for then in BEHIND)


OPERATIONS = {
    operation.name: operation
    for operation in (
        Operation("device_score_file", "file"),
        Operation("load_forecast_file", "file"),
        Operation(
            "update_sync_request", "row", _sync_request, done_words=("duplicate", "already"), names_a_resource=True
        ),
        Operation("post_event_outcome", "chunk", _outcomes),
        Operation(
            "reserve_device",
            "chunk",
            enveloped=_reservation,
            names_a_resource=True,
            health="/rest/apis/common/healthCheck",
        ),
        Operation("acknowledge", "answer", done_words=("duplicate", "already")),
        Operation(
            "program_event",
            "message",
            message=_program_event,
            names_a_resource=True,
            done_words=("already exists",),
            asking=Asking(_program_event_asked, _has_not_reached),
        ),
    )
}


def operation_of(endpoint: Endpoint) -> Operation:
    """The operation an endpoint names.

    Raises:
        Misconfigured: there is none of that name, or it cannot be asked what became of a request.
    """
    operation = OPERATIONS.get(endpoint.operation)
    if operation is None:
        raise Misconfigured(
            f"Endpoint {endpoint.name} names the operation {endpoint.operation}, which is unknown",
            fix=f"use one of {', '.join(OPERATIONS)} in systems.toml",
        )
    if endpoint.unknown == "query" and operation.asking is None:
        raise Misconfigured(
            f"Endpoint {endpoint.name} cannot be asked what became of a request",
            fix='set unknown = "park" in systems.toml, or "resend" if it knows a repeated record by its own key',
        )
    return operation
