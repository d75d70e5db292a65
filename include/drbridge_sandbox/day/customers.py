"""Customers who changed in the CIS: contacts, service points and service agreements, with columns of the utility's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from drbridge_sandbox.day import ids
from drbridge_sandbox.day.planting import Fields, Layout, Spoil

EXTERNAL_ID = 3
COMMON = ("externalReferenceId", "changeDateTime", "initialLoadSyncFlag", "externalId")
COMMON_SPOILS = (
    Spoil("missing", "externalId"),
    Spoil("not_in_list", "initialLoadSyncFlag", "F1XX"),
    Spoil("not_a_time", "changeDateTime", "07/13/2026"),
    Spoil("too_long", "externalId", "9" * 31),
    Spoil("too_few_fields"),
)
CONTACT = Layout(
    (*COMMON, "contactType", "name", "homePhone", "mobilePhone", "phone", "email", "lifeSupportSensitiveLoad",
     "lifeSupportSensitiveLoadDescription", "purged", "billingLanguage"),
    (Spoil("not_in_list", "lifeSupportSensitiveLoad", "yes"), Spoil("missing", "name"), *COMMON_SPOILS),
    other=("name", "SOMEBODY ELSE"), delimiter="\t",
)  # fmt: skip
SERVICE_POINT = Layout(
    (*COMMON, "meteredServicePointType", "sourceStatus", "division", "externalPremiseId", "timeZone", "country",
     "postal", "address1", "address2"),
    (Spoil("not_in_list", "sourceStatus", "D1XX"), Spoil("missing", "timeZone"), *COMMON_SPOILS),
    other=("postal", "99999"), delimiter="\t",
)  # fmt: skip
SERVICE_AGREEMENT = Layout(
    (*COMMON, "meteredServiceType", "externalContactId", "externalAccountId", "startDateTime", "endDateTime",
     "division", "status", "rateSchedule"),
    (Spoil("end_before_start", "endDateTime", "2001-01-01T00:00:00Z"), Spoil("missing", "startDateTime"),
     *COMMON_SPOILS),
    other=("status", "60"), delimiter="\t",
)  # fmt: skip


def contacts(day: date, rows: int) -> Iterator[Fields]:
    """One contact each; the telephone numbers are of those that nobody has."""
    for number in range(rows):
        named = f'ANNA "ANN" SAMPLE {number}' if number % 50 == 7 else f"MARIA SAMPLE {number}"
        yield [
            *_common(day, number, f"P{number:09d}"), "PERSON", named, f"555-01{number % 100:02d}", "", "",
            f"customer{number}@example.org", "true" if number % 90 == 5 else "false", "", "", "EN",
        ]  # fmt: skip


def service_points(day: date, rows: int) -> Iterator[Fields]:
    """One service point each."""
    for number in range(rows):
        yield [
            *_common(day, number, ids.service_point(number)), "E-RES", "D1DC" if number % 30 == 9 else "D1CN", "",
            f"{number:014d}", "US/Central", "USA", f"{number % 100_000:05d}", f"{number} Example Street", "",
        ]  # fmt: skip


def service_agreements(day: date, rows: int) -> Iterator[Fields]:
    """One service agreement each."""
    for number in range(rows):
        yield [
            *_common(day, number, f"EXTMS{number}"), "E-RES", f"P{number:09d}", f"00{number:08d}",
            "2020-01-01T00:00:00-06:00", f"{day}T00:00:00-05:00" if number % 40 == 3 else "", "", "20", "RES-1",
        ]  # fmt: skip


def _common(day: date, number: int, external_id: str) -> Fields:
    return [f"7{number:09d}", f"{day}T0{number % 10}:{number % 60:02d}:00Z", "F1IC", external_id]
