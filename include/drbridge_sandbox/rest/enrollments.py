"""Enrollments in DACS: a customer's wish to take part in a program with the devices at a service point."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from drbridge_sandbox.rest.answers import Answer, Refused
from drbridge_sandbox.rest.bodies import (
    IsoDate,
    Strict,
    Text12,
    Text14,
    Text24,
    Text30,
    Text50,
    Text60,
    Text100,
    Text120,
    Text254,
    parsed,
)
from drbridge_sandbox.rest.memory import Effect, Tx
from drbridge_sandbox.rest.records import Records

ENROLLMENT_PATH = "/rest/apis/cross/digitalAssets/programEnrollments/"
KIND, BY_KEY = "enrollment", "enrollment_by_key"
ALREADY_EXISTS, NOT_VALID, REFUSED = 10589, 10590, 10591


class CustomerInfo(Strict):
    """Who wants to take part."""

    cis_person_id: Text30 | None = None
    cis_account_id: Text30 | None = None
    name: Text254 | None = None
    home_phone: Text24 | None = None
    business_phone: Text24 | None = None
    email: Text254 | None = None


class ProgramInfo(Strict):
    """In what program."""

    cis_service_agreement_id: Text30 | None = None
    program_code: Text30
    start_date: IsoDate | None = None


class LocationInfo(Strict):
    """Where."""

    division: Text30 | None = None
    cis_premise_id: Text14 | None = None
    cis_service_point_id: Text12
    time_zone: Text60 | None = None
    address1: Text254 | None = None
    city: Text254 | None = None
    country: Text254 | None = None
    county: Text254 | None = None
    state: Text254 | None = None
    postal: Text24 | None = None


class Asset(Strict):
    """A device."""

    sequence: Annotated[int, Field(ge=-999, le=999)] | None = None
    asset_id: Text12 | None = None
    specification: Text60 | None = None
    asset_type: Text60 | None = None
    badge_no: Text60 | None = None
    serial_no: Text60 | None = None
    nic_id: Text100 | None = None
    head_end_system: Text50 | None = None


class AssetInfo(Strict):
    """The devices, and how they come to the customer."""

    installation_method: Literal["X1SI", "X1SD", "X1UI", "X1RE"] | None = None
    asset_ownership: Literal["W1CO", "W1OW"] | None = None
    asset_list: list[Asset] = Field(default_factory=list)

    @model_validator(mode="after")
    def _own_devices_are_described(self) -> Self:
        needed = ("specification", "asset_type", "nic_id", "head_end_system")
        own = (self.installation_method, self.asset_ownership) == ("X1SI", "W1CO")
        if own and not all(getattr(each, name) for each in self.asset_list for name in needed):
            raise ValueError("a device the customer brings needs specification, assetType, nicId and headEndSystem")
        return self


class Enroll(Strict):
    """A new enrollment."""

    transaction_id: Text120
    customer_info: CustomerInfo
    program_info: ProgramInfo
    location_info: LocationInfo
    asset_info: AssetInfo | None = None

    @property
    def key(self) -> str:
        person = self.customer_info.cis_person_id or ""
        return f"{person}/{self.program_info.program_code}/{self.location_info.cis_service_point_id}"


class EnrollDevice(Strict):
    """One more device for an enrollment (25.10)."""

    transaction_id: Text120
    enrollment_id: Annotated[str, Field(min_length=1)]
    asset_info: AssetInfo


class Unenroll(Strict):
    """The end of an enrollment."""

    transaction_id: Text120
    enrollment_id: Annotated[str, Field(min_length=1)] | None = None
    program_subscription_id: Text14 | None = None
    unenroll_reason: Literal["LSSL", "CUSTOMEROPTOUT", "INACTIVESERVICE", "INELIGIBLERATE"]
    removal_method: Literal["X1KP", "X1SD", "X1UR"] | None = None

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if (self.enrollment_id is None) == (self.program_subscription_id is None):
            raise ValueError("either enrollmentId or programSubscriptionId is expected")
        return self


def enroll(tx: Tx, body: bytes, refused: frozenset[str]) -> Answer:
    """Makes an enrollment; one that does not stand up stays with DACS' staff."""
    asked = parsed(Enroll, body)
    if known := tx.records.get(BY_KEY, asked.key):
        text = f"Enrollment {known['enrollmentId']} for person, program and service point {asked.key} already exists"
        raise Refused(400, text, number=ALREADY_EXISTS)
    verdict = _verdict(tx.records, asked, refused)
    id_ = f"{tx.seq:014}"
    tx.records.keep(KIND, id_, asked.record | {"status": verdict["status"]})
    tx.records.keep(BY_KEY, asked.key, {"enrollmentId": id_})
    tx.effects(KIND, [Effect(asked.key, asked.key, verdict["status"])])
    return Answer(200, {"enrollmentId": id_} | verdict, rows=1)


def enroll_device(tx: Tx, body: bytes, refused: frozenset[str]) -> Answer:
    """Adds devices to an enrollment."""
    del refused
    asked = parsed(EnrollDevice, body)
    enrollment = found(tx.records, asked.enrollment_id)
    info = enrollment.get("assetInfo", {})
    known, new = info.get("assetList", []), asked.asset_info.record["assetList"]
    if not new or any(_device(each) in map(_device, known) for each in new):
        raise Refused(400, f"Enrollment {asked.enrollment_id} has the device already, or none is named")
    tx.records.keep(KIND, asked.enrollment_id, enrollment | {"assetInfo": info | {"assetList": known + new}})
    tx.effects(
        "enrolled_device", (Effect(f"{asked.enrollment_id}/{_device(each)}", asked.enrollment_id, "") for each in new)
    )
    return Answer(200, {"enrollmentId": asked.enrollment_id, "status": enrollment["status"]}, rows=len(new))


def unenroll(tx: Tx, body: bytes, refused: frozenset[str]) -> Answer:
    """Asks for the end of an enrollment."""
    del refused
    asked = parsed(Unenroll, body)
    if asked.enrollment_id is not None:
        found(tx.records, asked.enrollment_id)
    id_ = asked.enrollment_id or str(asked.program_subscription_id)
    if tx.records.get("unenrollment", id_):
        raise Refused(400, f"The unenrollment of {id_} already exists")
    tx.records.keep("unenrollment", id_, asked.record | {"status": "PENDING"})
    tx.effects("unenrollment", [Effect(id_, id_, asked.unenroll_reason)])
    return Answer(200, show_unenrollment(tx.records, id_), rows=1)


def found(records: Records, id_: str) -> dict[str, Any]:
    """An enrollment that must be there.

    Raises:
        Refused: it is not.
    """
    enrollment = records.get(KIND, id_)
    if enrollment is None:
        raise Refused(404, f"There is no enrollment {id_}")
    return enrollment


def show(records: Records, id_: str) -> dict[str, Any]:
    """What DACS tells of an enrollment."""
    return {"enrollmentId": id_, "status": found(records, id_)["status"]}


def show_unenrollment(records: Records, id_: str) -> dict[str, Any]:
    """What DACS tells of an unenrollment, by the id of the enrollment or the subscription that ends.

    Raises:
        Refused: there is none.
    """
    known = records.get("unenrollment", id_)
    if known is None:
        raise Refused(404, f"There is no unenrollment of {id_}")
    named = "enrollmentId" if "enrollmentId" in known else "programSubscriptionId"
    return {named: id_, "status": known["status"]}


def _verdict(records: Records, asked: Enroll, refused: frozenset[str]) -> dict[str, Any]:
    person = asked.customer_info.cis_person_id
    if not refused.isdisjoint((asked.key, person)):
        return {"status": "ERROR", "messageNumber": REFUSED, "message": f"{asked.key} is refused"}
    if person is None or not records.is_known("customer", person):
        return {"status": "VAL-ERROR", "messageNumber": NOT_VALID, "message": f"Customer {person} is not known"}
    return {"status": "PENDING"}


def _device(asset: dict[str, Any]) -> str:
    return f"{asset.get('headEndSystem', '')}/{asset.get('nicId', '')}"
