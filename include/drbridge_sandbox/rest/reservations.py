"""Devices reserved for a stage: each is a participation that DACS keeps, until an outcome or a cancellation."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self

from pydantic import Field, model_validator

from drbridge_sandbox.rest import program_events
from drbridge_sandbox.rest.answers import Answer, Refused
from drbridge_sandbox.rest.bodies import (
    Strict,
    Text50,
    Text100,
    Text120,
    Text254,
    UtcTime,
    need_none,
    need_not_refused,
    parsed,
    parsed_items,
)
from drbridge_sandbox.rest.memory import Effect, Tx

PARTICIPATION_PATH = "/rest/apis/cross/service/programEventParticipation/"
RESERVE_PATH = PARTICIPATION_PATH + "reserveDevice"
CANCEL_PATH = PARTICIPATION_PATH + "preEventCancellation"
KIND = "device_reservation"
MOST_DEVICES = 1000


class ReservedDevice(Strict):
    """One device; without times of its own it is reserved for the whole event."""

    head_end_system: Text50
    nic_id: Text100
    reservation_start_date_time: UtcTime | None = None
    reservation_end_date_time: UtcTime | None = None

    @property
    def key(self) -> str:
        return f"{self.head_end_system}/{self.nic_id}"

    def window(self, reserve: ReserveDevice) -> tuple[datetime, datetime]:
        return (
            self.reservation_start_date_time or reserve.event_start_date_time,
            self.reservation_end_date_time or reserve.event_end_date_time,
        )


class ReserveDevice(Strict):
    """A list of devices for one stage; each is checked on its own."""

    event_external_identifier: Text120
    event_start_date_time: UtcTime
    event_end_date_time: UtcTime
    device_list: list[dict[str, Any]] = Field(min_length=1)

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Self:
        if self.event_end_date_time <= self.event_start_date_time:
            raise ValueError("the event does not end after it starts")
        return self


class PreEventCancellation(Strict):
    """An event that will not take place (23A)."""

    external_event_identifier: Text120
    message_id: Text120
    cancellation_message_text: Text254 | None = None


def reserve(tx: Tx, body: bytes, refused: frozenset[str]) -> Answer:
    """Reserves a list of devices, or none when one of them is wrong."""
    asked = parsed(ReserveDevice, body)
    stage = asked.event_external_identifier
    need_not_refused(refused, stage)
    status = program_events.found(tx.records, stage)["status"]
    if not program_events.NEXT[status]:
        raise Refused(400, f"Program event {stage} is {status}: no device can be reserved for it")
    devices = parsed_items(ReservedDevice, asked.device_list, "key", MOST_DEVICES)
    need_none([text for each in devices if (text := _flaw(asked, each, refused))])
    tx.effects(KIND, (_effect(asked, each) for each in devices))
    return Answer(200, {"processed": len(devices)}, rows=len(devices))


def cancel_before(tx: Tx, body: bytes, refused: frozenset[str]) -> Answer:
    """Cancels every participation of an event."""
    event = parsed(PreEventCancellation, body).external_event_identifier
    need_not_refused(refused, event)
    keys = tx.keys(KIND, f"{event}/")
    if not keys:
        raise Refused(404, f"No device is reserved for event {event}")
    tx.effects(KIND, (Effect(key, key, "CANCELED") for key in keys))
    return Answer(200, {"canceled": len(keys)}, rows=len(keys))


def _flaw(asked: ReserveDevice, device: ReservedDevice, refused: frozenset[str]) -> str:
    start, end = device.window(asked)
    if not asked.event_start_date_time <= start < end <= asked.event_end_date_time:
        return f"{device.key}: the reservation does not lie within the event"
    return f"{device.key} is refused" if not refused.isdisjoint((device.key, device.nic_id)) else ""


def _effect(asked: ReserveDevice, device: ReservedDevice) -> Effect:
    key = f"{asked.event_external_identifier}/{device.key}"
    times = [at.strftime("%Y-%m-%dT%H:%M:%SZ") for at in device.window(asked)]
    return Effect(key, key, "|".join(["RESERVED", *times]))
