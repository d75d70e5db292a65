"""Enrollment requests: customers who want to take part in a program, from DERMS to DACS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field

from drbridge.contracts.fields import Count, SentAt, Text12, Text14, Text24, Text30, Text254
from drbridge.contracts.kinds import Instant
from drbridge.contracts.message import Body, Key, Member, Message, Part, filled, sent

MOST_REQUESTS = 500
UnenrollReason = Literal["LSSL", "CUSTOMEROPTOUT", "INACTIVESERVICE", "INELIGIBLERATE"]
RemovalMethod = Literal["X1KP", "X1SD", "X1UR"]


def _is_moment(text: str) -> str:
    Instant().parse(text)
    return text


Written = Annotated[str, AfterValidator(_is_moment), Field(json_schema_extra={"format": "date-time"})]


class CustomerInfo(Member):
    """Who enrolls."""

    cis_person_id: Text30 | None = None
    cis_account_id: Text30 | None = None
    name: Text254 | None = None
    home_phone: Text24 | None = None
    business_phone: Text24 | None = None
    email: Text254 | None = None


class ProgramInfo(Member):
    """In what, and from when.

    Attributes:
        start: a moment as the sender wrote it: the day that goes to DACS is the day of the sender's own clock.
    """

    cis_service_agreement_id: Text254 | None = None
    program_code: Text254 | None = None
    start: Written = Field(alias="startDateTimeISO")


class LocationInfo(Member):
    """Where the devices are."""

    division: Text254 | None = None
    cis_premise_id: Text14 | None = None
    cis_service_point_id: Text12 | None = None
    time_zone: Text254 | None = None
    address1: Text254 | None = None
    city: Text254 | None = None
    country: Text254 | None = None
    county: Text254 | None = None
    state: Text254 | None = None
    postal: Text254 | None = None


class Asset(Member):
    """One device."""

    sequence: Count | None = None
    asset_id: Text254 | None = None
    specification: Text254 | None = None
    asset_type: Text254 | None = None
    badge_no: Text254 | None = None
    serial_no: Text254 | None = None
    nic_id: Annotated[str, Field(max_length=100)] | None = None
    head_end_system: Annotated[str, Field(max_length=50)] | None = None


class AssetInfo(Member):
    """The devices, and who brings them."""

    installation_method: Text30 | None = None
    asset_ownership: Text30 | None = None
    asset_list: Annotated[tuple[Asset, ...], Field(max_length=MOST_REQUESTS)] = ()


class Request(Member):
    """One customer's request."""

    customer_info: CustomerInfo = CustomerInfo()
    program_info: ProgramInfo
    location_info: LocationInfo = LocationInfo()
    asset_info: AssetInfo = AssetInfo()


class EnrollmentRequest(Message):
    """Requests that DERMS has gathered. DACS takes one at a time (guide 26.4); all answers go back together.

    Forms and lengths are judged here. What a program needs (a device, a person) DACS judges for each request by itself:
    one that it refuses does not stop the others.
    """

    noun: ClassVar[str] = "enrollment_request"
    title: ClassVar[str] = "Enrollment requests"
    is_collection: ClassVar[bool] = True

    message_id: Key
    drms_instance_id: Text254 = ""
    sent_at: SentAt
    requests: Annotated[tuple[Request, ...], Field(min_length=1, max_length=MOST_REQUESTS)]

    @property
    def happened_at(self) -> datetime:
        return self.sent_at

    @property
    def route(self) -> str:
        return self.drms_instance_id

    def parts(self) -> Sequence[Part]:
        """One for each customer's request."""
        return tuple(Part("", self.sent_at) for _ in self.requests)


Lookup = Mapping[str, str]


def to_create_enrollment(message: EnrollmentRequest, part: int, specifications: Lookup, asset_types: Lookup) -> Body:
    """The body of Create Program Enrollment for one of the requests.

    Args:
        specifications: DACS's word for a make and model, as in ECOBEE!EB-STATE5; what is not in it goes as it came.
        asset_types: the same for types of devices.
    """
    request = message.requests[part]
    program = sent(request.program_info)
    program["startDate"] = program.pop("startDateTimeISO").partition("T")[0]
    groups = {
        "customerInfo": sent(request.customer_info),
        "programInfo": program,
        "locationInfo": sent(request.location_info),
        "assetInfo": _assets(request.asset_info, specifications, asset_types),
    }
    return {"transactionId": message.message_id} | {name: group for name, group in groups.items() if group}


def to_enroll_device(
    transaction_id: str, enrollment_id: str, asset_info: AssetInfo, specifications: Lookup, asset_types: Lookup
) -> Body:
    """The body of Enroll Additional Device (25.10): more devices for a customer who is enrolled."""
    assets = _assets(asset_info, specifications, asset_types)
    return {"transactionId": transaction_id, "enrollmentId": enrollment_id, "assetInfo": assets}


def to_unenroll(
    transaction_id: str,
    *,
    enrollment_id: str | None = None,
    program_subscription_id: str | None = None,
    reason: UnenrollReason,
    removal_method: RemovalMethod | None = None,
) -> Body:
    """The body of Create Program Unenrollment: a customer leaves a program.

    Args:
        enrollment_id: what is ended; or `program_subscription_id`.
        removal_method: X1KP the customer keeps the device, X1SD sends it back, X1UR the utility removes it.
    """
    return filled({
        "transactionId": transaction_id,
        "enrollmentId": enrollment_id,
        "programSubscriptionId": program_subscription_id,
        "unenrollReason": reason,
        "removalMethod": removal_method,
    })


def _assets(info: AssetInfo, specifications: Lookup, asset_types: Lookup) -> Body:
    body = sent(info)
    for asset in body.get("assetList", []):
        _look_up(asset, "specification", specifications)
        _look_up(asset, "assetType", asset_types)
    return body


def _look_up(fields: dict[str, Any], name: str, lookup: Lookup) -> None:
    if name in fields:
        fields[name] = lookup.get(fields[name], fields[name])
