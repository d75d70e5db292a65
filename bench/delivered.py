"""Builds a ledger and a staging area in which many rows were delivered, through the product's own writers.

Files are drawn, taken in by `take` (checked, staged, cut into parcels) and messages by `accept`. Nothing is sent: what
a target would have answered is written straight into the parcels, as `send` and `relay` write it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import polars as pl
from sqlalchemy import func, insert, literal, select, update

from drbridge.exchange import acks
from drbridge.exchange.accept import accept, read
from drbridge.exchange.desk import Desk
from drbridge.exchange.take import take
from drbridge.ledger.database import Tx, clock
from drbridge.ledger.states import DeliveryState, ParcelState
from drbridge.ledger.tables import attempts, deliveries, parcels
from drbridge.systems import Flow

FIRST_DAY = datetime(2026, 7, 1, tzinfo=UTC)
AT_ONCE = 500
BAD_EVERY = 2_000
MESSAGES_EACH = 5


@dataclass(frozen=True)
class Kind:
    """Files of one noun: how many, which share of the rows they hold, and how one is drawn.

    Attributes:
        draw: the rows of the file of this number, `count` of them.
        spoils: the column that every so many rows is not as agreed.
    """

    flows: tuple[str, ...]
    name: str
    files: int
    share: float
    draw: Callable[[int, int], pl.DataFrame]
    spoils: str


def device(rows: pl.Expr) -> dict[str, pl.Expr]:
    """The ids of devices by their number: each has a customer's enrollment and a service point of its own.

    NICs are scattered as hardware addresses are, so that no order in a file helps to find one.
    """
    scattered = (rows.cast(pl.UInt64) * 2_654_435_761) % 4_294_967_296
    return {
        "device": rows.cast(pl.String).str.zfill(12),
        "nic": "0C:" + scattered.cast(pl.String).str.zfill(10),
        "enrollment": "4" + rows.cast(pl.String).str.zfill(13),
        "point": "7" + rows.cast(pl.String).str.zfill(11),
    }


def device_ids(number: int) -> dict[str, str]:
    """The ids of one device."""
    first = number - number % AT_ONCE
    return _ids_of_some(first)[number - first]


@lru_cache(maxsize=4)
def _ids_of_some(first: int) -> list[dict[str, str]]:
    return (
        pl.DataFrame({"n": pl.int_range(first, first + AT_ONCE, eager=True)}).select(**device(pl.col("n"))).to_dicts()
    )


def stamp(moment: datetime) -> str:
    return f"{moment:%Y%m%dT%H%M%SZ}"


def iso(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _numbers(count: int) -> pl.DataFrame:
    return pl.DataFrame({"n": pl.int_range(count, eager=True)})


def _scores(number: int, count: int) -> pl.DataFrame:
    ids = device(pl.col("n"))
    return _numbers(count).select(
        deviceId=ids["device"], nicId=ids["nic"], headEndSystem=pl.lit("ECOBEE"),
        programSubscriptionId=ids["enrollment"], programCode=pl.lit("SUMMER-TSTAT"), servicePointId=ids["point"],
        calculationDateTime=pl.lit(iso(FIRST_DAY + timedelta(days=number))),
        deviceScore=((pl.col("n") * 37 + number) % 1000).cast(pl.String) + ".5", availabilityFlag=pl.lit("Y"),
    )  # fmt: skip


def _outcomes(number: int, count: int) -> pl.DataFrame:
    ids, begin = device(pl.col("n")), FIRST_DAY + timedelta(hours=12 * number)
    return _numbers(count).select(
        recordId=pl.col("n").cast(pl.String), eventId=pl.lit(event(number)), stageId=pl.lit(f"{event(number)}-1"),
        programId=pl.lit("PRG-1"), servicePointId=ids["point"], nicId=ids["nic"], headEndSystemId=pl.lit("ECOBEE"),
        outcome=pl.lit("SUCCESS"), participationStartDateTime=pl.lit(iso(begin)),
        participationEndDateTime=pl.lit(iso(begin + timedelta(hours=1))), errorMessage=pl.lit(""),
    )  # fmt: skip


def _acks(number: int, count: int) -> pl.DataFrame:
    request = pl.col("n") + number * 1_000_000
    return _numbers(count).select(
        syncRequestId=request.cast(pl.String).str.zfill(14), programSubscriptionId=device(pl.col("n"))["enrollment"],
        ackStatus=pl.lit("SUCCESS"), processedDateTime=pl.lit(iso(FIRST_DAY + timedelta(days=number))),
    )  # fmt: skip


def _energy(number: int, count: int) -> pl.DataFrame:
    begin = FIRST_DAY + timedelta(hours=12 * number)
    return _numbers(count).select(
        pl.lit(event(number)).alias("EventId"), pl.lit("Economic").alias("EventType"),
        pl.lit("PRG-1").alias("ProgramId"), device(pl.col("n"))["point"].alias("SPId"),
        pl.lit(iso(begin)).alias("ActualStartTime"),
        pl.lit(iso(begin + timedelta(hours=1))).alias("ActualEndTime"), pl.lit("900").alias("IntervalSize(Seconds)"),
        pl.lit("5").alias("TotalKwh"), pl.lit("1.0").alias("TotalKwhSavedForPeriod"),
        *(pl.lit("0.25").alias(f"KwhSaved{place}") for place in range(1, 5)),
    )  # fmt: skip


def event(number: int) -> str:
    return f"EV-{number:04d}"


KINDS = (
    Kind(("dacs_derms_device_score",), "SDCSE_{number:04d}_00.csv", 20, 0.60, _scores, "deviceScore"),
    Kind(
        ("derms_dacs_event_outcome", "derms_ouai_event_outcome"), "EVENT_OUTCOME_{stamp}_{number}.csv", 40, 0.20,
        _outcomes, "outcome",
    ),
    Kind(("ouai_dacs_kwh_avoided",), "KWH_AVOIDED_{stamp}_{number}.csv", 36, 0.18, _energy, "TotalKwh"),
    Kind(("ouai_dacs_enrollment_ack",), "ENROLL_ACK_{stamp}_{number}.csv", 2, 0.02, _acks, "ackStatus"),
)  # fmt: skip


def build(desk: Desk, rows: int, messages: int, say: Callable[[str], None]) -> None:
    """Takes in files of so many rows and so many messages, all of them delivered.

    Args:
        desk: its systems' flows must read from `inbox://` folders.
    """
    for kind in KINDS:
        count = round(rows * kind.share / kind.files)
        for number in range(kind.files):
            _take(desk, kind, number, count)
        say(f"{kind.files} files of {count:,} rows: {kind.flows[0]}")
    for some in parts_of(messages):
        accept(desk, [read(*_message(number), "bench") for number in range(some.start, some.stop)])
    say(f"{messages:,} messages")
    _deliver(desk)
    say("all of it delivered and answered")


def parts_of(count: int) -> Iterator[slice]:
    return (slice(first, min(first + AT_ONCE, count)) for first in range(0, count, AT_ONCE))


def _take(desk: Desk, kind: Kind, number: int, count: int) -> None:
    flow = desk.systems.flow(kind.flows[0])
    name = kind.name.format(number=number, stamp=stamp(FIRST_DAY + timedelta(hours=12 * number)))
    path = desk.staging.inbox / flow.source.removeprefix("inbox://") / name
    path.parent.mkdir(parents=True, exist_ok=True)
    spoilt = pl.when(pl.int_range(pl.len()) % BAD_EVERY == 1).then(pl.lit("?")).otherwise(pl.col(kind.spoils))
    kind.draw(number, count).with_columns(spoilt.alias(kind.spoils)).write_csv(path)
    done = take(desk, flow.name, name)
    assert done.state == "taken", done
    path.unlink()


def _message(number: int) -> tuple[str, dict[str, Any]]:
    """The noun and content of one of many messages; each device has a few."""
    at, which = iso(FIRST_DAY + timedelta(seconds=number)), number // MESSAGES_EACH
    ids = device_ids(which)
    asset = {"nicId": ids["nic"], "headEndSystem": "ECOBEE", "deviceId": ids["device"]}
    return (
        ("enrollment_change", {
            "syncRequestId": f"9{number:013d}", "action": "ENROLL", "changeDateTime": at,
            "contactInfo": {"contactId": f"C{which}", "cisPersonId": f"P{which}"},
            "subscriptionInfo": {"subscriptionId": ids["enrollment"], "programId": "PRG-1", "status": "ACTIVE",
                                 "programCode": "SUMMER-TSTAT", "startDateTime": at},
            "locationInfo": {"cisServicePointId": ids["point"], "controllableDevices": [asset]},
        }),
        ("event_opt_out", {
            "messageId": f"OO-{number}", **asset, "eventId": event(which % 40), "stageId": f"{event(which % 40)}-1",
            "programSubscriptionId": ids["enrollment"], "optOutDateTime": at,
        }),
        ("device_status_check", {"communicationId": f"DS-{number}", "deviceInfo": {"headEndSystem": "ECOBEE",
                                                                                  "nicid": ids["nic"]}}),
        ("enrollment_request", {
            "messageId": f"EQ-{number}", "requests": [{
                "customerInfo": {"cisPersonId": f"P{which}", "name": "Ada Example"},
                "programInfo": {"programCode": "SUMMER-TSTAT", "startDateTimeISO": at},
                "locationInfo": {"cisServicePointId": ids["point"]},
                "assetInfo": {"assetList": [{"sequence": 1, "nicId": ids["nic"], "headEndSystem": "ECOBEE"}]},
            }],
        }),
        ("unavailability", {
            "messageId": f"UN-{number}", **asset, "start": at, "end": "2026-12-31T00:00:00Z", "action": "CREATE",
        }),
    )[number % MESSAGES_EACH]  # fmt: skip


def _deliver(desk: Desk) -> None:
    """Every parcel was accepted at its first try, and so was every answer that is owed for it."""
    while True:
        with desk.ledger.write() as tx:
            open_ = select(deliveries.c.flow, deliveries.c.id).where(deliveries.c.state == DeliveryState.OPEN)
            found = tx.execute(open_).all()
            if not found:
                return
            _acknowledge(tx)
            for flow in {row.flow for row in found}:
                ids = [row.id for row in found if row.flow == flow]
                for some in parts_of(len(ids)):
                    acks.settle(tx, desk.systems.flow(flow), ids[some])


def _acknowledge(tx: Tx) -> None:
    pending = parcels.c.state == ParcelState.PENDING
    now = clock(tx)
    tried = select(
        parcels.c.id, literal(1), now, literal(0.1), literal(ParcelState.ACKED.value), literal(200)
    ).where(pending)  # fmt: skip
    tx.execute(insert(attempts).from_select(["parcel_id", "epoch", "at", "seconds", "outcome", "status"], tried))
    tx.execute(update(parcels).where(pending).values(state=ParcelState.ACKED.value, tries=1, epoch=1, ended_at=now))


def folders_for_sources(desk: Desk) -> Desk:
    """The same desk, its flows of files reading from local folders."""
    flows = {name: _local(flow) for name, flow in desk.systems.flows.items()}
    return replace(desk, systems=desk.systems.model_copy(update={"flows": flows}))


def _local(flow: Flow) -> Flow:
    if not flow.source:
        return flow
    place = "outcomes" if "event_outcome" in flow.name else flow.name
    return flow.model_copy(update={"source": f"inbox://{place}"})


def totals(desk: Desk) -> dict[str, int]:
    """What the ledger holds."""
    with desk.ledger.read() as tx:
        counts = {table.name: tx.execute(select(func.count()).select_from(table)).scalar_one()
                  for table in (deliveries, parcels, attempts)}  # fmt: skip
        rows = tx.execute(select(func.sum(parcels.c.rows)).where(parcels.c.state == ParcelState.ACKED)).scalar_one()
    return counts | {"rows acknowledged": int(rows or 0)}


def bytes_under(folder: Path, pattern: str = "*") -> int:
    return sum(path.stat().st_size for path in folder.rglob(pattern) if path.is_file())
