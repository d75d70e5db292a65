"""Enrollments and unenrollments of a day, and OUAI's acknowledgements of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from random import Random

from drbridge_sandbox.day import ids
from drbridge_sandbox.day.planting import Fields, Layout, Spoil

SYNC = Layout(
    ("syncRequestId", "action", "programSubscriptionId", "programSubscriptionType", "programId", "programCode",
     "cisPersonId", "cisAccountId", "externalMeteredServiceId", "servicePointId", "cisServicePointId", "cisPremiseId",
     "startDateTime", "endDateTime", "status", "changeDateTime", "initialLoadFlag"),
    (
        Spoil("not_in_list", "action", "DEVICE_CHANGE"),
        Spoil("missing", "servicePointId"),
        Spoil("not_digits", "syncRequestId", "A5449036987849"),
        Spoil("too_long", "syncRequestId", "154490369878490"),
        Spoil("end_before_start", "endDateTime", "2001-01-01T00:00:00-06:00"),
        Spoil("no_offset", "changeDateTime", "2026-07-13T02:10:00"),
        Spoil("not_in_list", "initialLoadFlag", "F1XX"),
        Spoil("too_few_fields"),
    ),
    other=("programSubscriptionType", "CONTRADICTING"),
)  # fmt: skip
ACK = Layout(
    ("syncRequestId", "programSubscriptionId", "ackStatus", "messageCategory", "messageNumber", "messageText",
     "messageParameters", "processedDateTime", "sourceFileName"),
    (
        Spoil("not_in_list", "ackStatus", "DONE"),
        Spoil("missing", "processedDateTime"),
        Spoil("not_a_number", "messageNumber", "many"),
        Spoil("missing", "syncRequestId"),
        Spoil("no_such_time", "processedDateTime", "2026-02-30T05:58:11Z"),
        Spoil("too_long", "messageText", "x" * 255),
        Spoil("too_few_fields"),
    ),
    other=("programSubscriptionId", "29999999999999"),
)  # fmt: skip
NEGATIVE = ("90000", "1001", "Unknown service point", "SP {point}")
WORDY = ("90000", "1002", 'Meter "main", cabinet 3:\nnot found', "SP {point}|two parts")


def enrollments(random: Random, day: date, rows: int) -> Iterator[Fields]:
    """Rows of an enrollment file; one in eight ends an enrollment."""
    for number in range(rows):
        program_id, program_code = ids.program(number)
        point, ends = ids.service_point(number), number % 8 == 7
        yield [
            ids.sync_request(day, number), "UNENROLL" if ends else "ENROLL", ids.subscription(number), "DRPROGRAM",
            program_id, program_code if number % 5 else "", f"P{number:09d}" if number % 3 else "",
            f"00{number:08d}", f"EXTMS{number}", point, point, f"{number:014d}",
            "2026-01-01T00:00:00-06:00", f"{day}T05:00:00-05:00" if ends else "", "INACTIVE" if ends else "ACTIVE",
            f"{day}T0{random.randrange(4)}:15:00Z", "F1IL" if number % 20 == 19 else "F1IC",
        ]  # fmt: skip


def wants_ack(fields: Fields) -> bool:
    """Whether an enrollment waits for an acknowledgement: those of an initial load do not."""
    return fields[-1] == "F1IC"


def ack(fields: Fields, at: str, source: str, refusal: tuple[str, str, str, str] | None) -> Fields:
    """OUAI's acknowledgement of an enrollment."""
    sync_id, subscription, point = fields[0], fields[2], fields[9]
    if refusal is None:
        return [sync_id, subscription, "SUCCESS", "", "", "", "", at, source]
    category, number, text, parameters = refusal
    return [sync_id, subscription, "ERROR", category, number, text, parameters.format(point=point), at, source]


def refusal_of(number: int) -> tuple[str, str, str, str] | None:
    """How OUAI refuses the n-th enrollment, if it does."""
    if number % 97 == 50:
        return WORDY
    return NEGATIVE if number % 20 == 10 else None
