"""DACS's REST operations: which fields go where, as DACS publishes them."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from drbridge.contracts import Message, device_reservation, enrollment_ack, event_outcome, event_status, msg_ack
from drbridge.contracts.device_reservation import DeviceReservation
from drbridge.contracts.enrollment_request import EnrollmentRequest, to_create_enrollment
from drbridge.contracts.event_status import EventStatus
from drbridge.contracts.msg_ack import MsgAck
from drbridge.contracts.stage_path import BEHIND, Reached
from drbridge.exchange.acks import Told
from drbridge.exchange.operation import Address, Asking, Fields, Operation, read_json
from drbridge.ports import JsonValue, Reply
from drbridge.systems import Site

HAS_IT = ("duplicate", "already")


def _outcomes(rows: Sequence[Fields], site: Site) -> JsonValue:
    return event_outcome.to_post_outcome_list(rows, site.program_event_key)


def _outcome_of_event(rows: Sequence[Fields], site: Site) -> JsonValue:
    return event_outcome.to_post_outcome_of_event(rows[0], site.program_event_key)


def _sync_request(rows: Sequence[Fields], site: Site) -> JsonValue:
    return enrollment_ack.to_update_sync_request(rows[0], site.default_message_category)


def _sync_request_by_message(message: Message, part: int, site: Site) -> Address:
    assert isinstance(message, MsgAck)
    body = msg_ack.to_update_sync_request(message, part, site.default_message_category)
    return Address(body, names={"syncRequestId": message.answered[part]})


def _sync_request_answered(told: Told, site: Site) -> Address:
    """What the other side made of a change of DACS's; one that a newer change has overtaken is no error."""
    assert told.message is not None
    code, why = told.parts[0]
    error = None if code == "SUCCESS" else why or "refused without a reason"
    body = msg_ack.update_sync_request(told.message.number, error, site.default_message_category)
    return Address(body, names={"syncRequestId": told.message.number})


def _acknowledgement(message: Message, part: int, site: Site) -> Address:
    assert isinstance(message, MsgAck)
    return Address(msg_ack.to_post_acknowledgement(message, part, site.default_message_category))


def _enrollment(message: Message, part: int, site: Site) -> Address:
    assert isinstance(message, EnrollmentRequest)
    words = site.lookups
    return Address(to_create_enrollment(message, part, words.asset_specification, words.asset_type))


def _device_status(message: Message, part: int, _site: Site) -> Address:
    assert isinstance(message, MsgAck)
    return Address(msg_ack.to_device_status_response(message, part))


def _device_status_answered(told: Told, _site: Site) -> Address:
    assert told.message is not None
    return Address(msg_ack.device_status_response(told.message.number, told.parts[0][0] == "SUCCESS"))


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
    """Whether a program event has not come as far yet as the message would bring it; one that is there was created."""
    data = read_json(reply.body)
    status, wanted = data.get("status") if isinstance(data, dict) else None, Reached.from_text(reaches).status
    return wanted not in (status, "SCHEDULED") and not any(status == then and wanted in BEHIND[then] for then in BEHIND)


DACS_OPERATIONS = (
    Operation("update_sync_request", "row", _sync_request, done_words=HAS_IT, names_a_resource=True),
    Operation(
        "update_sync_request_message", "message", message=_sync_request_by_message, done_words=HAS_IT,
        names_a_resource=True,
    ),
    Operation(
        "update_sync_request_answer", "answer", answer=_sync_request_answered, done_words=HAS_IT, names_a_resource=True
    ),
    Operation(
        "post_acknowledgement", "message", message=_acknowledgement, done_words=HAS_IT, names_a_resource=True
    ),
    Operation("create_enrollment", "message", message=_enrollment, id_member="enrollmentId"),
    Operation(
        "device_status_response", "message", message=_device_status, done_words=HAS_IT, names_a_resource=True
    ),
    Operation(
        "device_status_answer", "answer", answer=_device_status_answered, done_words=HAS_IT, names_a_resource=True
    ),
    Operation("post_event_outcome", "chunk", _outcomes),
    Operation("post_event_outcome_23a", "row", _outcome_of_event),
    Operation(
        "reserve_device", "chunk", enveloped=_reservation, names_a_resource=True,
        health="/rest/apis/common/healthCheck",
    ),
    Operation(
        "program_event", "message", message=_program_event, names_a_resource=True, done_words=("already exists",),
        asking=Asking(_program_event_asked, _has_not_reached),
    ),
)  # fmt: skip
