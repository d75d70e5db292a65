"""Where the time of a message or file went, by the ledger, Airflow and the far side; what Airflow's processes used."""

from __future__ import annotations

import os
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from sqlalchemy import func, select

from drbridge.ledger.database import Ledger
from drbridge.ledger.messages import number_of
from drbridge.ledger.tables import attempts, deliveries, given_files, intakes, messages, parcels
from drbridge_sandbox.airflow_processes import AirflowProcesses
from drbridge_sandbox.far import Far

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Taken:
    """A message or file that has had its effect.

    Attributes:
        seconds: from when it was there to its effect.
        steps: seconds of each step on the way; together they are `seconds`.
        calls: how many calls of it the other side took.
    """

    name: str
    seconds: float
    steps: Mapping[str, float]
    calls: int


def messages_by_the_ledger(ledger: Ledger, far: Far, posted: Mapping[str, float]) -> list[Taken]:
    """What became of stage statuses, by their numbers."""
    look = (
        select(messages.c.number, messages.c.received_at, parcels.c.key, func.min(attempts.c.at).label("sent_at"))
        .join(deliveries, deliveries.c.intake_id == messages.c.intake_id)
        .join(parcels, parcels.c.delivery_id == deliveries.c.id)
        .join(attempts, attempts.c.parcel_id == parcels.c.id)
        .where(deliveries.c.destination == "dacs_program_event")
        .group_by(messages.c.number, messages.c.received_at, parcels.c.key)
    )
    names = {number_of("event_status", name): name for name in posted}
    with ledger.read() as tx:
        rows = {names[row.number]: row for row in tx.execute(look)}
    return _taken(far, posted, {
        name: (row.key, {"stored": row.received_at, "taken up by a worker": row.sent_at})
        for name, row in rows.items()
    }, "DACS has it")  # fmt: skip


def files_by_the_ledger(
    ledger: Ledger, far: Far, airflow: AirflowProcesses, flow: str, laid: Mapping[str, float]
) -> list[Taken]:
    """What became of files, by their names; when their runs began is what Airflow says."""
    look = (
        select(intakes.c.name, intakes.c.taken_at, parcels.c.key, given_files.c.run_id,
               func.min(given_files.c.given_at).label("given_at"), func.min(attempts.c.at).label("sent_at"))
        .join(deliveries, deliveries.c.intake_id == intakes.c.id)
        .join(parcels, parcels.c.delivery_id == deliveries.c.id)
        .join(attempts, attempts.c.parcel_id == parcels.c.id)
        .join(given_files, (given_files.c.name == intakes.c.name) & (given_files.c.dag_id == deliveries.c.flow))
        .where(deliveries.c.flow == flow)
        .group_by(intakes.c.name, intakes.c.taken_at, parcels.c.key)
    )  # fmt: skip
    with ledger.read() as tx:
        rows = {row.name: row for row in tx.execute(look)}
    queued = {
        run["dag_run_id"]: datetime.fromisoformat(run["queued_at"]).timestamp()
        for run in airflow.api("GET", f"dags/{flow}/dagRuns?limit=100")["dag_runs"]
    }
    return _taken(far, laid, {
        name: (row.key, {
            "seen to be whole and a run made": max(queued[row.run_id], laid[name]), "its run has looked": row.given_at,
            "taken: checked and staged": row.taken_at, "sending begins": row.sent_at,
        }) for name, row in rows.items()
    }, "DERMS has it")  # fmt: skip


def _taken(
    far: Far, began: Mapping[str, float], found: Mapping[str, tuple[str, dict[str, float]]], last: str
) -> list[Taken]:
    heard, calls = dict[str, float](), Counter[str]()
    for row in far.requests():
        if row["status"] in (200, 202) and (key := row["idempotency_key"]):
            heard.setdefault(key, row["at"])
            calls[key] += 1
    taken = []
    for name, moment in began.items():
        key, steps = found.get(name, ("", {}))
        if key in heard:
            moments = [moment, *steps.values(), heard[key]]
            lengths = [later - earlier for earlier, later in pairwise(moments)]
            steps = dict(zip((*steps, last), lengths, strict=True))
            taken.append(Taken(name, heard[key] - moment, steps, calls[key]))
    return taken


def p50(seconds: Sequence[float]) -> float:
    return statistics.median(seconds)


def p95(seconds: Sequence[float]) -> float:
    return sorted(seconds)[int(len(seconds) * 0.95)]


def used_by(processes: Iterable[int]) -> tuple[float, float]:
    """CPU seconds of processes and of their children that ended, and the memory they share out among them (PSS), MB."""
    cpu = memory = 0.0
    for pid in processes:
        with suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            cpu += sum(map(int, fields[11:15])) / TICKS
            memory += _pss(Path(f"/proc/{pid}/smaps_rollup").read_text())
    return cpu, memory


def _pss(rollup: str) -> float:
    return int(rollup.partition("\nPss:")[2].split()[0]) / 1024
