"""Enrollment changes: a customer was enrolled or unenrolled, or devices were replaced, from DACS to DERMS."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from drbridge.contracts.fields import DeviceId, HeadEndSystem, NicId, SyncRequestId, Text30, Text254, need_order
from drbridge.contracts.message import Body, Key, Member, Message, Moment, Part, entity_of, sent

MOST_DEVICES = 500


class ContactInfo(Member):
    """Whom it is about. DERMS judges whether it knows the person."""

    contact_id: Text30 | None = None
    cis_person_id: Text30 | None = None


class SubscriptionInfo(Member):
    """The enrollment as it is after the change."""

    subscription_id: Key
    cis_account_id: Text30 | None = None
    subscription_type: Text254 | None = None
    status: Literal["ACTIVE", "INACTIVE"] | None = None
    program_id: Text30 | None = None
    program_code: Text254 | None = None
    start_date_time: Moment = Field(serialization_alias="startDateTimeISO")
    end_date_time: Moment | None = Field(default=None, serialization_alias="endDateTimeISO")

    @model_validator(mode="after")
    def _ends_when_inactive(self) -> Self:
        if self.status == "INACTIVE" and self.end_date_time is None:
            raise ValueError("INACTIVE needs endDateTime")
        need_order(self.start_date_time, self.end_date_time, ("startDateTime", "endDateTime"))
        return self


class Device(Member):
    """A device that takes part."""

    device_id: DeviceId | None = None
    device_type: Text254 | None = None
    specification: Text254 | None = None
    head_end_system: HeadEndSystem
    nic_id: NicId
    serial_no: Text254 | None = None
    badge_no: Text254 | None = None
    group_id: Text254 | None = None
    network_address: Text254 | None = None
    registration: Literal["D1RE", "D1NR", "D1DR"] | None = None


class LocationInfo(Member):
    """Where the devices are: all of them, so that DERMS may replace its list."""

    division: Text254 | None = None
    service_point_id: Text30 | None = None
    cis_premise_id: Text30 | None = None
    cis_service_point_id: Text30 | None = None
    controllable_devices: Annotated[tuple[Device, ...], Field(max_length=MOST_DEVICES)] = ()


class ReplacedDevice(Member):
    """A device that is no longer there."""

    device_id: DeviceId | None = None
    nic_id: NicId
    head_end_system: HeadEndSystem
    removed_date_time: Moment | None = Field(default=None, serialization_alias="removedDateTimeISO")


class EnrollmentChange(Message):
    """A change of one subscription, as a sync request of DACS tells it (guide 26.4; the order of changes is ours)."""

    noun: ClassVar[str] = "enrollment_change"
    title: ClassVar[str] = "Enrollment change"
    frame: ClassVar[str] = "sendDetails"
    numbered_by: ClassVar[str] = "sync_request_id"

    sync_request_id: SyncRequestId = Field(serialization_alias="dacsMessageId")
    action: Literal["ENROLL", "UNENROLL", "DEVICE_CHANGE"]
    change_date_time: Moment = Field(serialization_alias="changeDateTimeISO")
    contact_info: ContactInfo = ContactInfo()
    subscription_info: SubscriptionInfo
    location_info: LocationInfo = LocationInfo()
    replaced_devices: Annotated[tuple[ReplacedDevice, ...], Field(max_length=MOST_DEVICES)] = ()

    @model_validator(mode="after")
    def _action_has_what_it_needs(self) -> Self:
        if self.action == "UNENROLL":
            if self.subscription_info.end_date_time is None:
                raise ValueError("UNENROLL needs subscriptionInfo.endDateTime")
        elif not self.location_info.controllable_devices:
            raise ValueError(f"{self.action} needs at least one device in locationInfo.controllableDevices")
        return self

    @property
    def happened_at(self) -> datetime:
        return self.change_date_time

    @property
    def route(self) -> str:
        return self.location_info.division or ""

    def parts(self) -> Sequence[Part]:
        """One, about the subscription: an unenrollment must not overtake the enrollment before it."""
        return (Part(entity_of("subscription", self.subscription_info.subscription_id), self.change_date_time),)


def to_derms_enroll(message: EnrollmentChange) -> Body:
    """The body of DERMS's enroll service."""
    return sent(message)
