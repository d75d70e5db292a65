"""Device scores: how ready each enrolled device is, from DACS to DERMS."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated

import polars as pl

from drbridge.contracts.contract import Contract, Dated, Warn
from drbridge.contracts.kinds import NOT_NEGATIVE, WIDEST_OFFSET, Code, Instant, Integer, Number, Text
from drbridge.contracts.problems import Flaw
from drbridge.contracts.rows import Row, column


class DeviceScore(Row):
    """The score of one device in one program."""

    device_id: Annotated[str, Text(12)] = column("deviceId", "the device, as DACS numbers it")
    nic_id: Annotated[str, Text(100)] = column(
        "nicId", "the device's network card", rule="unique with headEndSystem and programCode"
    )
    head_end_system: Annotated[str, Text(50)] = column("headEndSystem", "the system that talks to the device")
    program_subscription_id: Annotated[str, Text(14)] = column("programSubscriptionId", "the customer's enrollment")
    program_code: Annotated[str, Text(30)] = column("programCode", "the program the score is for")
    service_point_id: Annotated[str, Text(12)] | None = column(
        "servicePointId", "where the device is connected", required=False
    )
    calculated_at: Annotated[datetime, Instant()] = column(
        "calculationDateTime", "when the score was calculated", rule="not in the future"
    )
    score: Annotated[Decimal, Number(18, 6)] = column("deviceScore", "the score; its direction is configuration")
    available: Annotated[str, Code("Y", "N")] = column("availabilityFlag", "whether the device may be called")
    activation_cost: Annotated[Decimal, NOT_NEGATIVE] | None = column(
        "activationCost", "what one activation costs", required=False
    )
    burn_rate: Annotated[Decimal, NOT_NEGATIVE] | None = column(
        "burnRate", "how fast the device's participations are used up", required=False
    )
    participations: Annotated[int, Integer()] | None = column(
        "successfulParticipations", "successful participations in this cycle",
        rule="more than participationLimit gives a warning", required=False,
    )  # fmt: skip
    participation_limit: Annotated[int, Integer()] | None = column(
        "participationLimit", "participations allowed in a cycle", required=False
    )
    days_since_last_event: Annotated[int, Integer()] | None = column(
        "daysSinceLastEvent", "days since the last participation", unit="d", required=False
    )
    days_in_cycle: Annotated[int, Integer()] | None = column(
        "daysInCycle", "length of the cycle", unit="d", required=False
    )

    def flaws(self, now: datetime) -> Iterator[Flaw]:
        if self.calculated_at > now:
            yield Flaw("calculationDateTime", "future", "the score was calculated in the future")

    @classmethod
    def sure_rules(cls, present: Collection[str], now: datetime) -> list[pl.Expr]:
        value = pl.col("calculationDateTime")
        utc = now.astimezone(UTC)
        surely_past = f"{utc - WIDEST_OFFSET - timedelta(seconds=1):%Y-%m-%dT%H:%M:%S}"
        in_utc = value.str.ends_with("Z") & (value < f"{utc:%Y-%m-%dT%H:%M:%S}")
        return [in_utc | (value < surely_past)]


CONTRACT = Contract(
    noun="device_score",
    title="Device scores",
    prefixes=("SDCSE",),
    model=DeviceScore,
    key=("nicId", "headEndSystem", "programCode"),
    dated=Dated("calculationDateTime", "latest"),
    warnings=(
        Warn(
            "above_limit", "more participations than participationLimit",
            ("successfulParticipations", "participationLimit"),
            pl.col("successfulParticipations").cast(pl.Int64) > pl.col("participationLimit").cast(pl.Int64),
        ),
    ),
)  # fmt: skip
