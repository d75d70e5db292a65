"""Device reservations: which devices a stage of an event will call on, from DERMS to DACS: a message and its file."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, Literal, Self

import polars as pl
from pydantic import Field, StringConstraints, model_validator

from drbridge.contracts.contract import Contract, Dated
from drbridge.contracts.fields import Text254
from drbridge.contracts.kinds import Instant, Text
from drbridge.contracts.message import Body, Key, Member, Message, Moment, iso
from drbridge.contracts.problems import Flaw
from drbridge.contracts.rows import Row, column, in_order, in_utc

TIMES = ("reservationStartDateTime", "reservationEndDateTime")


class AttachedFile(Member):
    """What the sender says of the file beside the message, so that a torn one is noticed."""

    name: Annotated[str, StringConstraints(pattern=r"^[^/\\\x00-\x1f]+$", max_length=255)]
    sha256: Annotated[str, StringConstraints(pattern="^[0-9a-fA-F]{64}$", to_lower=True)]
    rows: Annotated[int, Field(strict=True, ge=1)]


class DeviceReservation(Message):
    """The stage whose devices the file lists: one message and one file for each stage (guide 26.4; form: ours)."""

    noun: ClassVar[str] = "device_reservation_message"
    title: ClassVar[str] = "Device reservation"

    message_id: Key
    drms_instance_id: Text254 = ""
    event_id: Key
    stage_id: Key
    program_id: Key | None = None
    event_type: Literal["ECONOMIC", "EMERGENCY", "RELIABILITY", "TEST"] | None = None
    event_start_date_time: Moment
    event_end_date_time: Moment
    file: AttachedFile

    @model_validator(mode="after")
    def _takes_time(self) -> Self:
        if self.event_end_date_time - self.event_start_date_time < timedelta(seconds=1):
            raise ValueError("eventEndDateTime is not after eventStartDateTime")
        return self

    @property
    def happened_at(self) -> datetime:
        """The start of the stage: the message does not say when it was sent."""
        return self.event_start_date_time

    @property
    def group(self) -> str:
        return self.event_id

    @property
    def route(self) -> str:
        return self.drms_instance_id


class ReservedDevice(Row):
    """One device that a stage will call on."""

    record_id: Annotated[str, Text(30)] = column("recordId", "the sender's number of the row")
    nic_id: Annotated[str, Text(100)] = column(
        "nicId", "the device's network card", rule="unique with headEndSystemId in the file"
    )
    head_end_system_id: Annotated[str, Text(50)] = column("headEndSystemId", "the system that talks to the device")
    starts_at: Annotated[datetime, Instant()] | None = column(
        TIMES[0], "from when it is reserved", rule="when both are empty: the stage's; inside the stage", required=False
    )
    ends_at: Annotated[datetime, Instant()] | None = column(
        TIMES[1], "until when", rule="after the start; when both are empty: the stage's", required=False
    )

    def flaws(self, now: datetime) -> Iterator[Flaw]:
        if self.starts_at is None and self.ends_at is None:
            return
        if self.starts_at is None or self.ends_at is None:
            lacking = TIMES[0] if self.starts_at is None else TIMES[1]
            yield Flaw(lacking, "missing", "a reservation has both times or none")
        elif self.ends_at <= self.starts_at:
            yield Flaw(TIMES[1], "end_before_start", f"{TIMES[1]} is not after {TIMES[0]}")

    @classmethod
    def sure_rules(cls, present: Collection[str], now: datetime) -> list[pl.Expr]:
        given = [pl.col(name) for name in TIMES if name in present]
        none = pl.all_horizontal(pl.lit(True), *(each.is_null() for each in given))
        if len(given) < len(TIMES):
            return [none]
        start, end = given
        return [none | (in_order(start, end) & (start != end))]


def outside_window(message: DeviceReservation, fields: Mapping[str, str | None]) -> str | None:
    """Why an accepted row does not fit its message: it reserves time outside the stage. None when it fits."""
    start, end = (Instant().parse(text) if (text := fields.get(name)) else None for name in TIMES)
    if start is not None and start < message.event_start_date_time:
        return f"{TIMES[0]} is before the stage begins, {iso(message.event_start_date_time)}"
    if end is not None and end > message.event_end_date_time:
        return f"{TIMES[1]} is after the stage ends, {iso(message.event_end_date_time)}"
    return None


def to_reserve_device(
    message: DeviceReservation, rows: Iterable[Mapping[str, str | None]], event_key: Literal["stage", "event"]
) -> Body:
    """The body of Reserve Device for accepted rows; a row without times is reserved for the whole stage.

    Args:
        event_key: whether the other side knows a program event by the stage or by the event.
    """
    start, end = iso(message.event_start_date_time), iso(message.event_end_date_time)
    return {
        "eventExternalIdentifier": message.stage_id if event_key == "stage" else message.event_id,
        "eventStartDateTime": start,
        "eventEndDateTime": end,
        "deviceList": [_device(fields, (start, end)) for fields in rows],
    }


def _device(fields: Mapping[str, str | None], stage: tuple[str, str]) -> dict[str, Any]:
    device: dict[str, Any] = {"headEndSystem": fields["headEndSystemId"], "nicId": fields["nicId"]}
    for name, otherwise in zip(TIMES, stage, strict=True):
        text = fields.get(name)
        device[name] = in_utc(text) if text else otherwise
    return device


CONTRACT = Contract(
    noun="device_reservation",
    title="Device reservations",
    prefixes=("RESERVE",),
    model=ReservedDevice,
    key=("nicId", "headEndSystemId"),
    dated=Dated(TIMES[0], "earliest"),
    empty_is_refused=True,
)
