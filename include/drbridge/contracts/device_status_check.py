"""Device status checks: can this device be reached? From DACS to DERMS."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import Field

from drbridge.contracts.fields import HeadEndSystem, NicId, SentAt, Text254
from drbridge.contracts.message import Body, Member, Message, sent


class DeviceInfo(Member):
    """The device that is asked for."""

    division: Text254 | None = None
    device_type: Text254 | None = None
    specification: Text254 | None = None
    head_end_system: HeadEndSystem
    nicid: NicId


class DeviceStatusCheck(Message):
    """A question for one device; DERMS answers later with the last status it has kept (guide 22C, its mapping)."""

    noun: ClassVar[str] = "device_status_check"
    title: ClassVar[str] = "Device status check"
    frame: ClassVar[str] = "sendDetails"
    numbered_by: ClassVar[str] = "communication_id"

    communication_id: Annotated[str, Field(min_length=1, max_length=30, serialization_alias="dacsMessageId")]
    device_info: DeviceInfo = Field(serialization_alias="DeviceInfo")
    sent_at: SentAt

    @property
    def happened_at(self) -> datetime:
        return self.sent_at

    @property
    def route(self) -> str:
        return self.device_info.division or ""


def to_derms_status_check(message: DeviceStatusCheck) -> Body:
    """The body of DERMS's status check service."""
    return sent(message)
