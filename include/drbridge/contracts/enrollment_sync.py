"""Enrollment file: which customers joined or left a program, from DACS to OUAI; no devices in it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Annotated

import polars as pl

from drbridge.contracts.contract import Contract, Dated, stamp_in
from drbridge.contracts.kinds import Code, Digits, Instant, Text
from drbridge.contracts.problems import Flaw
from drbridge.contracts.rows import Row, column, in_order


class EnrollmentSync(Row):
    """One enrollment or unenrollment."""

    sync_request_id: Annotated[str, Digits(14)] = column(
        "syncRequestId", "the request in DACS; the acknowledgement names it", rule="unique in the file"
    )
    action: Annotated[str, Code("ENROLL", "UNENROLL")] = column("action", "joining or leaving")
    program_subscription_id: Annotated[str, Text(14)] = column("programSubscriptionId", "the enrollment")
    program_subscription_type: Annotated[str, Text(30)] = column("programSubscriptionType", "its type in DACS")
    program_id: Annotated[str, Text(14)] = column("programId", "the program, as ProgramId in kWh files")
    program_code: Annotated[str, Text(30)] | None = column("programCode", "the program's code", required=False)
    cis_person_id: Annotated[str, Text(30)] | None = column("cisPersonId", "the customer in the CIS", required=False)
    cis_account_id: Annotated[str, Text(30)] | None = column("cisAccountId", "the account in the CIS", required=False)
    external_metered_service_id: Annotated[str, Text(30)] = column(
        "externalMeteredServiceId", "the service agreement in the CIS"
    )
    service_point_id: Annotated[str, Text(12)] = column("servicePointId", "the service point, as SPId in kWh files")
    cis_service_point_id: Annotated[str, Text(12)] | None = column(
        "cisServicePointId", "the service point in the CIS", required=False
    )
    cis_premise_id: Annotated[str, Text(14)] | None = column("cisPremiseId", "the premise in the CIS", required=False)
    starts_at: Annotated[datetime, Instant()] = column("startDateTime", "when the enrollment begins")
    ends_at: Annotated[datetime, Instant()] | None = column(
        "endDateTime", "when it ends", rule="not before startDateTime; required for UNENROLL", required=False
    )
    status: Annotated[str, Code("ACTIVE", "INACTIVE")] = column("status", "what it is from now on")
    changed_at: Annotated[datetime, Instant()] = column("changeDateTime", "when this change was made in DACS")
    load_flag: Annotated[str, Code("F1IL", "F1IC")] = column(
        "initialLoadFlag", "initial load (no acknowledgement comes) or change"
    )

    def flaws(self, now: datetime) -> Iterator[Flaw]:
        if self.action == "UNENROLL" and self.ends_at is None:
            yield Flaw("endDateTime", "missing", "UNENROLL needs an end")
        if self.ends_at is not None and self.ends_at < self.starts_at:
            yield Flaw("endDateTime", "end_before_start", "endDateTime is before startDateTime")

    @classmethod
    def sure_rules(cls, present: Collection[str], now: datetime) -> list[pl.Expr]:
        if "endDateTime" not in present:
            return [pl.col("action") == "ENROLL"]
        end = pl.col("endDateTime")
        return [
            (pl.col("action") == "ENROLL") | end.is_not_null(),
            end.is_null() | in_order(pl.col("startDateTime"), end),
        ]


CONTRACT = Contract(
    noun="enrollment_sync",
    title="Enrollment file",
    prefixes=("ENROLL_SYNC",),
    model=EnrollmentSync,
    key=("syncRequestId",),
    dated=Dated("changeDateTime", "latest"),
    date_in_name=stamp_in,
    kept=("initialLoadFlag",),
)
