"""Settlement credits: what each customer is owed for taking part, line by line, from DACS to the CIS's billing."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated

import polars as pl

from drbridge.contracts.across import Totals
from drbridge.contracts.contract import Contract, stamp_in
from drbridge.contracts.kinds import Code, Currency, Day, Integer, Number, Text
from drbridge.contracts.problems import Flaw
from drbridge.contracts.rows import Row, column


class SettlementCredit(Row):
    """One line of one customer's settlement. Guide 24A names the first columns; the rest is our definition."""

    start: Annotated[date, Day()] = column("startDate", "the first day that was settled")
    end: Annotated[date, Day()] = column("endDate", "the last day that was settled", rule="not before startDate")
    account_id: Annotated[str, Text(30)] = column("externalAccountId", "the account to be credited")
    metered_service_id: Annotated[str, Text(30)] | None = column(
        "externalMeteredServiceId", "the service agreement", required=False
    )
    settlement_id: Annotated[str, Text(50)] = column(
        "customerSettlementId", "the customer's settlement in DACS", rule="unique with lineSequence"
    )
    description: Annotated[str, Text(254)] | None = column("description", "what the bill says", required=False)
    line: Annotated[int, Integer(1)] = column("lineSequence", "the line of the settlement")
    line_type: Annotated[str, Code("KWH_AVOIDED", "KW_DROP", "INCENTIVE", "FEE")] = column("lineType", "what it is for")
    event_id: Annotated[str, Text(120)] | None = column("eventId", "the event", required=False)
    quantity: Annotated[Decimal, Number(18, 6)] | None = column("quantity", "how much of it", required=False)
    uom: Annotated[str, Code("KWH", "KW")] | None = column("uom", "unit of the quantity", required=False)
    price: Annotated[Decimal, Number(18, 6)] | None = column("unitPrice", "price of one unit", required=False)
    amount: Annotated[Decimal, Number(15, 2)] = column("amount", "what it comes to; negative: a credit to the customer")
    currency: Annotated[str, Currency()] = column("currency", "currency of price and amount")

    def flaws(self, now: datetime) -> Iterator[Flaw]:
        if self.end < self.start:
            yield Flaw("endDate", "end_before_start", "endDate is before startDate")

    @classmethod
    def sure_rules(cls, present: Collection[str], now: datetime) -> list[pl.Expr]:
        return [pl.col("startDate") <= pl.col("endDate")]


CONTRACT = Contract(
    noun="settlement_credit",
    title="Settlement credits",
    prefixes=("CUST_SETTLEMENT",),
    model=SettlementCredit,
    key=("customerSettlementId", "lineSequence"),
    date_in_name=stamp_in,
    totals=Totals("amount", "currency"),
)
