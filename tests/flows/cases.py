"""What many tests of the flows begin with: three flows and their samples, and short words for running and looking."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import select, update

from drbridge.exchange.desk import Desk
from drbridge.exchange.work import Resend, Work
from drbridge.ledger import deliveries
from drbridge.ledger.deliveries import Balance
from drbridge.ledger.tables import audit, parcels, targets
from tests.flows.chain import NOW, run
from tests.flows.conftest import SAMPLES

OUTCOMES = "sftp://derms_files/outgoing/outcome"
TO_DACS, TO_OUAI = "derms_dacs_event_outcome", "derms_ouai_event_outcome"
SCORES, SCORE_FLOW = "sftp://dacs_files/outgoing/scores", "dacs_derms_device_score"
ENROLLMENTS, ENROLLMENT_FLOW = "sftp://dacs_files/outgoing/enrollment", "dacs_ouai_enrollment_sync"
OUTCOME = SAMPLES / "event_outcome" / "EVENT_OUTCOME_20260714T210000Z_4711.csv"
OLDER_NAME = "EVENT_OUTCOME_20260713T210000Z_4710.csv"
SCORE = SAMPLES / "device_score" / "SDCSE_0042_00.csv"
ENROLLMENT = SAMPLES / "enrollment_sync" / "ENROLL_SYNC_20260714T040000Z_0042.csv"
NIC = OUTCOME.read_text(encoding="utf-8").splitlines()[1].split(",")[5]
OVER_THRESHOLD = OUTCOME.read_bytes() + b"x,y\n"
BAD_SCORE = b"".join(SCORE.read_bytes().splitlines(keepends=True)[:2]) + b"x,y,z\n" * 3


def states(desk: Desk, flow: str, work: Work = NOW) -> dict[str, str]:
    return {name: verdict.state for name, verdict in run(desk, flow, work).items()}


def asked(file: str, resend: Resend, number: int = 1) -> Work:
    return Work(run=f"flow/{number}", who="kim", file=file, resend=resend, by_hand=True)


def books(desk: Desk) -> dict[str, Balance]:
    with desk.ledger.read() as tx:
        rows = tx.execute(deliveries.with_intakes()).all()
        found = deliveries.balances(tx, [row.id for row in rows])
    assert all(each.balances for each in found.values()), found
    return {f"{row.name} > {row.destination}": found[row.id] for row in rows}


def acts(desk: Desk) -> list[tuple[str, str]]:
    with desk.ledger.read() as tx:
        return [(row.who, row.act) for row in tx.execute(select(audit).order_by(audit.c.id))]


def lenient(desk: Desk) -> Desk:
    site = desk.systems.site.model_copy(update={"reject_threshold_percent": 90.0})
    return replace(desk, systems=desk.systems.model_copy(update={"site": site}))


def time_passes(desk: Desk) -> None:
    with desk.ledger.write() as tx:
        tx.execute(update(targets).values(open_until=0.0, not_before=0.0))
        tx.execute(update(parcels).values(next_at=0.0))


def give_back(desk: Desk, source: str, name: str) -> None:
    store = desk.outside.store(source)
    store.rename(f"Error-{name}", name)
    store.close()
