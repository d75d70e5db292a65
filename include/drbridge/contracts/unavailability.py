"""Unavailabilities: a customer's device must not be called on for a while, from DACS to DERMS."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import ClassVar, Literal, Self

from pydantic import model_validator

from drbridge.contracts.fields import DeviceId, HeadEndSystem, NicId, SentAt
from drbridge.contracts.message import Body, Key, Message, Moment, Part, entity_of, iso, sent


class Unavailability(Message):
    """A period in which a device is not there, or no longer such a period (our definition)."""

    noun: ClassVar[str] = "unavailability"
    title: ClassVar[str] = "Unavailability"

    message_id: Key
    device_id: DeviceId | None = None
    nic_id: NicId
    head_end_system: HeadEndSystem
    start: Moment
    end: Moment
    action: Literal["CREATE", "CANCEL"]
    sent_at: SentAt

    @model_validator(mode="after")
    def _takes_time(self) -> Self:
        if self.end - self.start < timedelta(seconds=1):
            raise ValueError("end is not after start")
        return self

    @property
    def happened_at(self) -> datetime:
        return self.sent_at

    def parts(self) -> Sequence[Part]:
        """One, about the device in the period."""
        names = (self.head_end_system, self.nic_id, iso(self.start), iso(self.end))
        return (Part(entity_of("device", *names), self.sent_at),)


def to_derms_unavailability(message: Unavailability) -> Body:
    """The body of DERMS's unavailability service."""
    return sent(message)
