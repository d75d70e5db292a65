"""When a customer's device is not to be had: opted out of an event, or unavailable for a time."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from drbridge_sandbox.rest.bodies import Strict, Text12, Text14, Text50, Text100, Text120, Text254, UtcTime, parsed
from drbridge_sandbox.rest.memory import Effect, Tx
from drbridge_sandbox.rest.msg_ack import Verdict

OPT_OUT, UNAVAILABILITY, RESERVATION = "opt_out", "unavailability", "device_reservation"


class _OfDevice(Strict):
    message_id: Text120
    device_id: Text12 | None = None
    nic_id: Text100
    head_end_system: Text50

    @property
    def device(self) -> str:
        return f"{self.head_end_system}/{self.nic_id}"


class OptOut(_OfDevice):
    """A customer does not want to take part in an event, or in one of its stages."""

    program_subscription_id: Text14 | None = None
    event_id: Text120
    stage_id: Text120 | None = None
    opt_out_date_time: UtcTime | None = None
    reason: Text254 | None = None


class Unavailability(_OfDevice):
    """A customer cannot take part in any event for a time, or can after all."""

    start: UtcTime
    end: UtcTime
    action: Literal["CREATE", "CANCEL"]

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Self:
        if self.end <= self.start:
            raise ValueError("the time does not end after it starts")
        return self


def opt_out(tx: Tx, body: bytes, refused: frozenset[str]) -> Verdict:
    """Notes the opt-out, and cancels what the DERMS has reserved of the device for the event."""
    out = parsed(OptOut, body)
    if not refused.isdisjoint((out.message_id, out.nic_id)):
        return Verdict(out.message_id, f"{out.device} is refused")
    tx.records.keep(OPT_OUT, f"{out.device}/{out.event_id}/{out.stage_id or ''}", out.record)
    tx.effects("event_opt_out", [Effect(out.message_id, out.device, f"{out.event_id}/{out.stage_id or ''}")])
    start = f"{out.stage_id}/{out.device}" if out.stage_id else ""
    for key, reservation in tx.records.all(RESERVATION, start).items():
        of_event = reservation.get("eventId", out.event_id) == out.event_id
        if of_event and key.endswith(f"/{out.device}"):
            tx.records.keep(RESERVATION, key, reservation | {"status": "CANCELED"})
            tx.effects(RESERVATION, [Effect(key, key, "CANCELED")])
    return Verdict(out.message_id)


def be_unavailable(tx: Tx, body: bytes, refused: frozenset[str]) -> Verdict:
    """Notes or takes back a time in which the device must not be reserved."""
    period = parsed(Unavailability, body)
    if not refused.isdisjoint((period.message_id, period.nic_id)):
        return Verdict(period.message_id, f"{period.device} is refused")
    key = f"{period.device}/{period.record['start']}/{period.record['end']}"
    if period.action == "CANCEL" and tx.records.get(UNAVAILABILITY, key) is None:
        return Verdict(period.message_id, f"{key} cannot be cancelled: it is not known")
    tx.records.keep(UNAVAILABILITY, key, period.record)
    tx.effects(UNAVAILABILITY, [Effect(period.message_id, key, period.action)])
    return Verdict(period.message_id)
