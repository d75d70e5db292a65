"""Event opt-outs: a customer will not take part in a stage of an event, from DACS to DERMS."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from drbridge.contracts.fields import DeviceId, HeadEndSystem, NicId, Text254
from drbridge.contracts.message import Body, Key, Message, Moment, Part, entity_of, sent


class EventOptOut(Message):
    """One device leaves one stage before it begins; DERMS takes its reservation back (our definition)."""

    noun: ClassVar[str] = "event_opt_out"
    title: ClassVar[str] = "Event opt-out"

    message_id: Key
    device_id: DeviceId | None = None
    nic_id: NicId
    head_end_system: HeadEndSystem
    program_subscription_id: Key | None = None
    event_id: Key
    stage_id: Key
    opt_out_date_time: Moment
    reason: Text254 | None = None

    @property
    def happened_at(self) -> datetime:
        return self.opt_out_date_time

    @property
    def group(self) -> str:
        return self.event_id

    def parts(self) -> Sequence[Part]:
        """One, about the device in the stage."""
        names = (self.head_end_system, self.nic_id, self.event_id, self.stage_id)
        return (Part(entity_of("opt-out", *names), self.opt_out_date_time),)


def to_derms_opt_out(message: EventOptOut) -> Body:
    """The body of DERMS's opt-out service."""
    return sent(message)
