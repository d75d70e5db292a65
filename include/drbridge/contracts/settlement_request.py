"""Settlement requests: whose savings DACS is to settle, and for which days, from the CIS to DACS."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import date, datetime
from typing import Annotated

import polars as pl

from drbridge.contracts.contract import Contract, stamp_in
from drbridge.contracts.kinds import Code, Day, Text
from drbridge.contracts.problems import Flaw
from drbridge.contracts.rows import Row, column

WHOSE = ("externalContactId", "externalAccountId", "externalMeteredServiceId")
ONE_OF_THEM = "one of the three external ids is required"


class SettlementRequest(Row):
    """One request. Guides 23C and 24A name the first columns; the rest is our definition."""

    request_id: Annotated[str, Text(30)] = column(
        "externalSettlementRequestId", "the request in the CIS", rule="unique"
    )
    contact_id: Annotated[str, Text(30)] | None = column(WHOSE[0], "the customer", rule=ONE_OF_THEM, required=False)
    account_id: Annotated[str, Text(30)] | None = column(WHOSE[1], "the account", rule=ONE_OF_THEM, required=False)
    metered_service_id: Annotated[str, Text(30)] | None = column(
        WHOSE[2], "the service agreement", rule=ONE_OF_THEM, required=False
    )
    program_code: Annotated[str, Text(30)] | None = column("programCode", "the program", required=False)
    start: Annotated[date, Day()] = column("startDate", "the first day to settle")
    end: Annotated[date, Day()] = column("endDate", "the last day to settle", rule="not before startDate")
    request_type: Annotated[str, Code("PERIODIC", "FINAL_BILL", "REBILL", "UNENROLL")] = column(
        "requestType", "why it is settled now"
    )

    def flaws(self, now: datetime) -> Iterator[Flaw]:
        if self.contact_id is self.account_id is self.metered_service_id is None:
            yield Flaw(", ".join(WHOSE), "missing", ONE_OF_THEM)
        if self.end < self.start:
            yield Flaw("endDate", "end_before_start", "endDate is before startDate")

    @classmethod
    def sure_rules(cls, present: Collection[str], now: datetime) -> list[pl.Expr]:
        named = [pl.col(name).is_not_null() for name in WHOSE if name in present]
        return [pl.any_horizontal(named) if named else pl.lit(False), pl.col("startDate") <= pl.col("endDate")]


CONTRACT = Contract(
    noun="settlement_request",
    title="Settlement requests",
    prefixes=("SETTLEMENT_REQUEST",),
    model=SettlementRequest,
    key=("externalSettlementRequestId",),
    date_in_name=stamp_in,
)
