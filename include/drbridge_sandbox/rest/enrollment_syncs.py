"""Enrollments as DACS tells the DERMS of them: who takes part in what program with which devices, change by change."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from drbridge_sandbox.rest.bodies import Strict, Text12, Text14, Text30, Text50, Text60, Text100, UtcTime, parsed
from drbridge_sandbox.rest.memory import Effect, Tx
from drbridge_sandbox.rest.msg_ack import Verdict

SUBSCRIPTION = "subscription"


class ContactInfo(Strict):
    """The customer."""

    contact_id: Text30 | None = None
    cis_person_id: Text30 | None = None


class SubscriptionInfo(Strict):
    """The part taken in a program."""

    subscription_id: Text14
    cis_account_id: Text30 | None = None
    subscription_type: Text30 | None = None
    status: Literal["ACTIVE", "INACTIVE"] | None = None
    program_id: Text14
    program_code: Text30
    start_date_time_iso: UtcTime
    end_date_time_iso: UtcTime | None = None

    @model_validator(mode="after")
    def _ends_when_inactive(self) -> Self:
        if self.status == "INACTIVE" and self.end_date_time_iso is None:
            raise ValueError("an inactive subscription needs its end")
        if self.end_date_time_iso and self.end_date_time_iso < self.start_date_time_iso:
            raise ValueError("the subscription ends before it starts")
        return self


class ControllableDevice(Strict):
    """A device that takes part."""

    device_id: Text12 | None = None
    device_type: Text60 | None = None
    specification: Text60 | None = None
    head_end_system: Text50
    nic_id: Text100
    serial_no: Text60 | None = None
    badge_no: Text60 | None = None
    group_id: Text60 | None = None
    network_address: Text100 | None = None
    registration: Literal["D1RE", "D1NR", "D1DR"] | None = None


class LocationInfo(Strict):
    """Where the devices are."""

    division: Text30 | None = None
    service_point_id: Text12 | None = None
    cis_premise_id: Text14 | None = None
    cis_service_point_id: Text12
    controllable_devices: list[ControllableDevice] = Field(default_factory=list)


class ReplacedDevice(Strict):
    """A device that takes part no more."""

    device_id: Text12 | None = None
    nic_id: Text100
    head_end_system: Text50
    removed_date_time_iso: UtcTime | None = None


class EnrollmentSync(Strict):
    """One change of an enrollment."""

    dacs_message_id: Text14
    action: Literal["ENROLL", "UNENROLL", "DEVICE_CHANGE"]
    change_date_time_iso: UtcTime | None = None
    contact_info: ContactInfo | None = None
    subscription_info: SubscriptionInfo
    location_info: LocationInfo
    replaced_devices: list[ReplacedDevice] = Field(default_factory=list)

    @property
    def person(self) -> str | None:
        return self.contact_info.cis_person_id if self.contact_info else None

    @property
    def devices(self) -> list[str]:
        return [f"{each.head_end_system}/{each.nic_id}" for each in self.location_info.controllable_devices]


def take(tx: Tx, body: bytes, refused: frozenset[str]) -> Verdict:
    """Puts a change into effect, as it comes: one that was overtaken undoes the newer one, and is counted."""
    sync = parsed(EnrollmentSync, body)
    if error := _why_not(tx, sync, refused):
        return Verdict(sync.dacs_message_id, error)
    subscription, changed = sync.subscription_info.subscription_id, _stamp(sync.change_date_time_iso)
    before = tx.records.get(SUBSCRIPTION, subscription) or {"changeDateTimeISO": "", "overtaken": 0}
    tx.records.keep(SUBSCRIPTION, subscription, _subscription(sync, changed, before))
    value = "|".join([sync.action, subscription, sync.subscription_info.status or "", *sorted(sync.devices)])
    tx.effects("enrollment_sync", [Effect(sync.dacs_message_id, subscription, value, changed)])
    return Verdict(sync.dacs_message_id)


def _subscription(sync: EnrollmentSync, changed: str, before: dict[str, Any]) -> dict[str, Any]:
    return {
        "action": sync.action, "status": sync.subscription_info.status, "changeDateTimeISO": changed,
        "devices": sync.devices, "dacsMessageId": sync.dacs_message_id,
        "overtaken": before["overtaken"] + ("" < changed < before["changeDateTimeISO"]),
    }  # fmt: skip


def _why_not(tx: Tx, sync: EnrollmentSync, refused: frozenset[str]) -> str:
    subscription = sync.subscription_info.subscription_id
    if not refused.isdisjoint((sync.dacs_message_id, subscription)):
        return f"Subscription {subscription} is refused"
    if sync.person is None:
        return f"Subscription {subscription} cannot be created: cisPersonId is null"
    if not tx.records.is_known("customer", sync.person):
        return f"Customer {sync.person} was never synchronised"
    return ""


def _stamp(when: datetime | None) -> str:
    return "" if when is None else when.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
