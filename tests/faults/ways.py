"""The two ways of a file: its rows go to a REST service (taken in, then sent), or its bytes into a bucket (relayed)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy import func, select, update

from drbridge.adapters.outside import ConnectionsOutside
from drbridge.exchange.desk import Desk
from drbridge.exchange.work import Work
from drbridge.ledger import deliveries
from drbridge.ledger.database import clock
from drbridge.ledger.tables import intakes, leases, looks, parcels, targets
from drbridge.ports import Connection
from drbridge_sandbox.sandbox import Sandbox
from tests.flows.chain import NOW, run
from tests.flows.conftest import SAMPLES, connection_of
from tests.flows.more_rows import many_rows


@dataclass(frozen=True)
class Way:
    """A flow that reads from a folder of DACS, and the file that comes there.

    Attributes:
        target: the connection of where it goes.
        arrived: where its objects lie; empty when its rows go to the DERMS.
    """

    flow: str
    noun: str
    folder: str
    name: str
    target: str
    arrived: str = ""

    @property
    def url(self) -> str:
        return f"sftp://dacs_files/{self.folder}"

    @property
    def path(self) -> str:
        return f"{self.folder}/{self.name}"

    def data(self, rows: int = 4_000) -> bytes:
        """A good file of so many rows."""
        header, first, *_ = (SAMPLES / self.noun / self.name).read_bytes().splitlines(keepends=True)
        return header + b"".join(many_rows(self.noun, [first], rows))

    def later(self, data: bytes) -> bytes:
        """The same rows, told an hour later; not one byte more."""
        return data.replace(b"2026-07-13T02:1", b"2026-07-13T03:1").replace(b"2026-07-13T15:0", b"2026-07-13T16:0")


TAKEN = Way("dacs_derms_device_score", "device_score", "outgoing/scores", "SDCSE_0042_00.csv", "derms_rest")
RELAYED = Way(
    "dacs_ouai_enrollment_sync", "enrollment_sync", "outgoing/enrollment", "ENROLL_SYNC_20260714T040000Z_0042.csv",
    "ouai_objects", "s3://ouai_objects/ouai/incoming/enrollment",
)  # fmt: skip


def states(desk: Desk, way: Way, work: Work = NOW) -> dict[str, str]:
    """One run of the flow: what every file got as its verdict."""
    return {name: verdict.state for name, verdict in run(desk, way.flow, work).items()}


def connected(desk: Desk, box: Sandbox, **changed: Connection) -> Desk:
    """The desk, with other connections in place of some of the sandbox's."""

    def connection(conn_id: str) -> Connection:
        return changed.get(conn_id) or connection_of(box, conn_id)

    return replace(desk, outside=ConnectionsOutside(connection, inbox=desk.staging.inbox))


def patient(desk: Desk) -> Desk:
    """The desk, with a quiet time that does not pass by itself."""
    site = desk.systems.site.model_copy(update={"quiet_seconds": 3600.0})
    return replace(desk, systems=desk.systems.model_copy(update={"site": site}))


def an_hour_passes(desk: Desk) -> None:
    """For those who wait until a file is quiet."""
    with desk.ledger.write() as tx:
        tx.execute(update(looks).values(since_at=clock(tx) - 3601))


def time_passes(desk: Desk) -> None:
    """Leases of dead workers run out, and what waits for its time is due."""
    with desk.ledger.write() as tx:
        tx.execute(update(leases).values(expires_at=0.0))
        tx.execute(update(targets).values(open_until=0.0, not_before=0.0))
        tx.execute(update(parcels).values(next_at=0.0))


def arrived(box: Sandbox, way: Way) -> dict[str, bytes]:
    """What came: the objects, or the scores by device."""
    if way.arrived:
        return box.files(way.arrived)
    return {key: each["value"].encode() for key, each in box.far("derms").effects_of("device_score").items()}


def intakes_of(desk: Desk) -> int:
    """How many files the ledger knows."""
    with desk.ledger.read() as tx:
        return int(tx.execute(select(func.count()).select_from(intakes)).scalar_one())


def parcel_states(desk: Desk) -> dict[str, int]:
    """How many parcels are in each state."""
    with desk.ledger.read() as tx:
        rows = tx.execute(select(parcels.c.state, func.count()).group_by(parcels.c.state)).all()
    return {str(row[0]): int(row[1]) for row in rows}


def balances(desk: Desk) -> bool:
    """Whether the rows of every delivery add up."""
    with desk.ledger.read() as tx:
        ids = [row.id for row in tx.execute(deliveries.with_intakes())]
        return all(each.balances for each in deliveries.balances(tx, ids).values())
