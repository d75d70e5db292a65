"""Customer files of the CIS: contacts, service points and service agreements, to DACS and to DERMS.

Guides CCS-DACS 23C publish the first columns of each, in this order; what comes after them is the utility's own and
travels untouched. That a first line names the columns, and how they are spelled, is our definition. All of it is
personal data: no problem text repeats a value.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Annotated

import polars as pl
from pydantic import ConfigDict

from drbridge.contracts.contract import Contract, Dated
from drbridge.contracts.kinds import Code, Instant, Text
from drbridge.contracts.problems import Flaw
from drbridge.contracts.rows import Row, column, in_order

KEY = ("externalId", "changeDateTime")
DATED = Dated("changeDateTime", "latest")


class CustomerRow(Row):
    """What the three kinds of rows begin with."""

    model_config = ConfigDict(extra="ignore")

    external_reference_id: Annotated[str, Text(36)] | None = column(
        "externalReferenceId", "the CIS's own number of this change", required=False
    )
    changed_at: Annotated[datetime, Instant()] | None = column(
        "changeDateTime", "when it was changed in the CIS; orders several changes of one thing",
        rule="empty in an initial load", required=False,
    )  # fmt: skip
    load_flag: Annotated[str, Code("F1IL", "F1IC")] = column("initialLoadSyncFlag", "initial load or change")
    external_id: Annotated[str, Text(30)] = column(
        "externalId", "who or what the row is about, as the CIS numbers it", rule="unique with changeDateTime"
    )


class CustomerContact(CustomerRow):
    """One customer and how to reach them."""

    contact_type: Annotated[str, Text(30)] = column("contactType", "person or business, as DACS knows it")
    name: Annotated[str, Text(254)] = column("name", "FIRST LAST, or the business")
    home_phone: Annotated[str, Text(30)] | None = column("homePhone", "telephone at home", required=False)
    mobile_phone: Annotated[str, Text(30)] | None = column("mobilePhone", "mobile telephone", required=False)
    phone: Annotated[str, Text(30)] | None = column("phone", "telephone at work", required=False)
    email: Annotated[str, Text(254)] | None = column("email", "e-mail address", required=False)
    life_support: Annotated[str, Code("true", "false")] = column(
        "lifeSupportSensitiveLoad", "whether somebody's life depends on the power"
    )
    life_support_text: Annotated[str, Text(254)] | None = column(
        "lifeSupportSensitiveLoadDescription", "what it is", required=False
    )
    purged: Annotated[str, Text(5)] | None = column("purged", "whether the CIS has purged the person", required=False)


class CustomerServicePoint(CustomerRow):
    """One place where power is delivered."""

    point_type: Annotated[str, Text(30)] = column("meteredServicePointType", "its type in DACS")
    status: Annotated[str, Code("D1CN", "D1DC")] = column("sourceStatus", "connected or disconnected")
    division: Annotated[str, Text(30)] | None = column("division", "the utility's division", required=False)
    premise_id: Annotated[str, Text(30)] | None = column("externalPremiseId", "the premise in the CIS", required=False)
    time_zone: Annotated[str, Text(30)] = column("timeZone", "its time zone")
    country: Annotated[str, Text(30)] | None = column("country", "country", required=False)
    postal: Annotated[str, Text(12)] | None = column("postal", "postal code", required=False)
    address: Annotated[str, Text(254)] | None = column("address1", "first line of its address", required=False)


class CustomerServiceAgreement(CustomerRow):
    """One customer's agreement about one service; DACS calls it a metered service."""

    service_type: Annotated[str, Text(30)] = column("meteredServiceType", "its type in DACS")
    contact_id: Annotated[str, Text(30)] | None = column("externalContactId", "the customer", required=False)
    account_id: Annotated[str, Text(30)] | None = column("externalAccountId", "the account", required=False)
    starts_at: Annotated[datetime, Instant()] = column("startDateTime", "when it begins")
    ends_at: Annotated[datetime, Instant()] | None = column(
        "endDateTime", "when it ends", rule="not before startDateTime", required=False
    )
    division: Annotated[str, Text(30)] | None = column("division", "the utility's division", required=False)
    status: Annotated[str, Text(30)] | None = column("status", "its status in the CIS", required=False)

    def flaws(self, now: datetime) -> Iterator[Flaw]:
        if self.ends_at is not None and self.ends_at < self.starts_at:
            yield Flaw("endDateTime", "end_before_start", "endDateTime is before startDateTime")

    @classmethod
    def sure_rules(cls, present: Collection[str], now: datetime) -> list[pl.Expr]:
        end = pl.col("endDateTime")
        return [end.is_null() | in_order(pl.col("startDateTime"), end)] if "endDateTime" in present else []


CONTACT = Contract(
    "customer_contact", "Customer contacts", ("C1-DCTIL", "C1-DCTEX"), CustomerContact, KEY, DATED, personal=True
)
SERVICE_POINT = Contract(
    "customer_service_point", "Customer service points", ("C1-DSPIL", "C1-DSPEX"), CustomerServicePoint, KEY, DATED,
    personal=True,
)  # fmt: skip
SERVICE_AGREEMENT = Contract(
    "customer_service_agreement", "Customer service agreements", ("C1-DMSIL", "C1-DMSEX"), CustomerServiceAgreement,
    KEY, DATED, personal=True,
)  # fmt: skip
CONTRACTS = (CONTACT, SERVICE_POINT, SERVICE_AGREEMENT)
