"""Device status checks: DACS asks the DERMS whether a device is there, and takes the answer later."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from drbridge_sandbox.rest.answers import Answer, Refused
from drbridge_sandbox.rest.bodies import Strict, Text30, Text50, Text60, Text100, need_not_refused, parsed
from drbridge_sandbox.rest.memory import Effect, Tx
from drbridge_sandbox.rest.msg_ack import Verdict

RESPONSE_PATH = "/rest/apis/cross/digitalAssets/controllableDeviceStatus/response"
COMMUNICATION = "device_communication"


class StatusResult(Strict):
    """Whether the device answered."""

    status: Literal["SUCCESS", "FAILURE"]


class ResponseDetail(Strict):
    """Of which communication it is the result."""

    transaction_id: Text30
    result: StatusResult


class StatusResponse(Strict):
    """What DACS takes."""

    response_detail: ResponseDetail


class DeviceInfo(Strict):
    """The device that is asked for."""

    division: Text30 | None = None
    device_type: Text60 | None = None
    specification: Text60 | None = None
    head_end_system: Text50
    nicid: Text100


class StatusCheck(Strict):
    """What the DERMS takes."""

    dacs_message_id: Text30
    device_info: DeviceInfo = Field(alias="DeviceInfo")


def respond(tx: Tx, body: bytes, refused: frozenset[str]) -> Answer:
    """Ends a communication of DACS with the result."""
    detail = parsed(StatusResponse, body).response_detail
    id_ = detail.transaction_id
    need_not_refused(refused, id_)
    if not tx.records.is_known(COMMUNICATION, id_):
        raise Refused(404, f"There is no communication {id_}")
    if (tx.records.get(COMMUNICATION, id_) or {}).get("status") == "COMPLETE":
        raise Refused(400, f"Duplicate response: communication {id_} is already complete")
    if tx.records.any(COMMUNICATION):
        tx.records.keep(COMMUNICATION, id_, {"status": "COMPLETE", "result": detail.result.status})
    tx.effects("device_status", [Effect(id_, id_, detail.result.status)])
    return Answer(200, {"responseDetail": {"transactionId": id_, "boStatus": "COMPLETE"}}, rows=1)


def check(tx: Tx, body: bytes, refused: frozenset[str]) -> Verdict:
    """Takes a question of DACS; the result comes later by a call of the DERMS."""
    asked = parsed(StatusCheck, body)
    device = f"{asked.device_info.head_end_system}/{asked.device_info.nicid}"
    if not refused.isdisjoint((asked.dacs_message_id, device, asked.device_info.nicid)):
        return Verdict(asked.dacs_message_id, f"{device} is refused")
    tx.effects("status_check", [Effect(asked.dacs_message_id, device, device)])
    return Verdict(asked.dacs_message_id)
