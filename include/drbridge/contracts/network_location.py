"""Network locations: which transformer, feeder and substation each service point hangs on, from DERMS to DACS."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Annotated

import polars as pl

from drbridge.contracts.across import Periods
from drbridge.contracts.contract import Contract, Dated, stamp_in
from drbridge.contracts.kinds import Code, Instant, Text
from drbridge.contracts.problems import Flaw
from drbridge.contracts.rows import Row, column, in_order

PHASES = ("A", "B", "C", "AB", "AC", "BC", "ABC")
START, END = "effectiveStartDateTime", "effectiveEndDateTime"


class NetworkLocation(Row):
    """Where one service point hangs on the nominal network, from one moment to another. The columns are our definition.

    Guide 25.4 says what the file is for and leaves its layout open.
    """

    service_point_id: Annotated[str, Text(30)] = column(
        "externalServicePointId", "the service point", rule=f"unique with {START}"
    )
    transformer_id: Annotated[str, Text(60)] = column("transformerId", "the facility in DACS; PowerTransformer in CIM")
    feeder_id: Annotated[str, Text(60)] = column("feederId", "the feeder")
    substation_id: Annotated[str, Text(60)] | None = column("substationId", "the substation", required=False)
    phase: Annotated[str, Code(*PHASES)] | None = column("phase", "the phases it is connected to", required=False)
    starts_at: Annotated[datetime, Instant()] = column(
        START, "from when on this holds", rule="no two periods of a service point overlap"
    )
    ends_at: Annotated[datetime, Instant()] | None = column(
        END, "from when on it holds no more; empty: until further notice", rule=f"after {START}", required=False
    )
    load_flag: Annotated[str, Code("F1IL", "F1IC")] = column("initialLoadFlag", "initial load or change")
    action: Annotated[str, Code("A", "U", "D")] = column(
        "changeAction", "added, updated or deleted", rule="D goes with F1IC only; what is deleted claims no time"
    )
    changed_at: Annotated[datetime, Instant()] = column("changeDateTime", "when this change was made in DERMS")

    def flaws(self, now: datetime) -> Iterator[Flaw]:
        if self.ends_at is not None and self.ends_at <= self.starts_at:
            yield Flaw(END, "end_before_start", f"{END} is not after {START}")
        if self.action == "D" and self.load_flag != "F1IC":
            yield Flaw("changeAction", "not_allowed_here", "an initial load deletes nothing")

    @classmethod
    def sure_rules(cls, present: Collection[str], now: datetime) -> list[pl.Expr]:
        rules = [(pl.col("changeAction") != "D") | (pl.col("initialLoadFlag") == "F1IC")]
        if END in present:
            start, end = pl.col(START), pl.col(END)
            rules.append(end.is_null() | (in_order(start, end) & (start != end)))
        return rules


CONTRACT = Contract(
    noun="network_location",
    title="Network locations",
    prefixes=("SP_NETWORK_LOCATION",),
    model=NetworkLocation,
    key=("externalServicePointId", START),
    dated=Dated("changeDateTime", "latest"),
    date_in_name=stamp_in,
    periods=Periods(("externalServicePointId",), START, END, pl.col("changeAction") != "D"),
)
