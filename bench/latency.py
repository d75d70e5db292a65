"""How long it takes from the POST of a stage status to its effect at DACS, on a running Airflow.

    python bench/latency.py --seconds 300

Starts the sandbox and a real Airflow (scheduler, dag-processor, triggerer, API server with the inbox in it), posts one
message a second to the path that DERMS calls, and compares the moment before each POST with the moment DACS took the
call. Prints where the time went. Fails when a message has no effect, has two, or when the 95th percentile is over 10 s.
"""

from __future__ import annotations

import argparse
import base64
import json
import statistics
import sys
import tempfile
import time
import urllib.request
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from drbridge.inbox.paths import DOORS, PUBLISHED_PREFIX
from drbridge.ledger.database import Ledger
from drbridge.ledger.messages import number_of
from drbridge.ledger.schema import upgrade
from drbridge.ledger.tables import attempts, deliveries, messages, parcels
from drbridge.systems import DEFAULT_FILE
from drbridge_sandbox.airflow_processes import AirflowProcesses
from drbridge_sandbox.sandbox import Sandbox

CHECKOUT = Path(__file__).resolve().parents[1]
FLOW = "derms_dacs_event_status"
MOST_SECONDS = 10.0
SETTLED_WITHIN_SECONDS = 120.0
STAGE_STATUS = next(door.published for door in DOORS if door.noun == "event_status")


def main() -> int:
    """Runs the bench and prints a table and one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=300)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="drbridge-bench-") as name:
        found = _run(Path(name), asked.seconds)
    print(_table(found))
    print(json.dumps(found))
    return 0 if found["lost"] == 0 and found["twice"] == 0 and found["p95_s"] <= MOST_SECONDS else 1


def _run(folder: Path, seconds: int) -> dict[str, Any]:
    ledger = Ledger(f"sqlite:///{folder / 'ledger.db'}")
    upgrade(ledger)
    env = {"DRBRIDGE_HOME": str(folder), "DRBRIDGE_LEDGER_URL": ledger.url, "DRBRIDGE_CONFIG": str(DEFAULT_FILE)}
    with Sandbox(folder / "sandbox") as box:
        airflow = AirflowProcesses(
            folder / "airflow", CHECKOUT / "dags", CHECKOUT / "plugins", {**env, **box.env(), "DRBRIDGE_STAGING": ""}
        )
        airflow.start()
        try:
            airflow.wait_until_ready()
            _unpause(airflow)
            posted = _post(airflow, seconds)
            _until_settled(box, len(posted))
            return _figures(box, ledger, posted)
        finally:
            airflow.stop()
            ledger.close()


def _unpause(airflow: AirflowProcesses) -> None:
    wanted = {FLOW, "resume"}
    end = time.monotonic() + 120
    while time.monotonic() < end:
        known = {dag["dag_id"] for dag in airflow.api("GET", "dags?limit=200")["dags"]}
        if wanted <= known:
            break
        time.sleep(1)
    for dag in wanted:
        airflow.api("PATCH", f"dags/{dag}", {"is_paused": False})
    time.sleep(15)  # the watcher starts when the DAG file is read again


def _post(airflow: AirflowProcesses, seconds: int) -> dict[str, float]:
    """Posts one message a second; the moment before each, by its stage."""
    posted: dict[str, float] = {}
    word = base64.b64encode(f"{airflow.user}:{airflow.password}".encode()).decode()
    url, head = f"{airflow.url}{PUBLISHED_PREFIX}/{STAGE_STATUS}", {"Authorization": f"Basic {word}"}
    began = time.monotonic()
    for number in range(seconds):
        time.sleep(max(0.0, began + number - time.monotonic()))
        stage = f"S{number}"
        posted[stage] = time.time()
        _send(url, _message(number, stage), head)
    return posted


def _message(number: int, stage: str) -> dict[str, Any]:
    now, start = datetime.now(UTC), datetime(2026, 7, 14, 18, tzinfo=UTC)
    return {
        "messageId": f"M{number}", "eventId": f"E{number // 4}", "stageId": stage, "programId": "SUMMER-TSTAT",
        "eventType": "ECONOMIC", "stageStatus": "SCHEDULED", "sentAt": f"{now:%Y-%m-%dT%H:%M:%S.%fZ}",
        "startDateTime": f"{start:%Y-%m-%dT%H:%M:%SZ}",
        "endDateTime": f"{start + timedelta(hours=2):%Y-%m-%dT%H:%M:%SZ}",
    }  # fmt: skip


def _send(url: str, message: dict[str, Any], head: dict[str, str]) -> None:
    asked = urllib.request.Request(url, json.dumps(message).encode(), {**head, "Content-Type": "application/json"})
    with urllib.request.urlopen(asked, timeout=30) as reply:
        if reply.status != 202:
            raise RuntimeError(f"the inbox answered {reply.status}")


def _until_settled(box: Sandbox, count: int) -> None:
    end = time.monotonic() + SETTLED_WITHIN_SECONDS
    while time.monotonic() < end:
        with suppress(OSError):
            if len(box.far("dacs").effects_of("program_event")) >= count:
                return
        time.sleep(1)


def _figures(box: Sandbox, ledger: Ledger, posted: dict[str, float]) -> dict[str, Any]:
    effects = box.far("dacs").effects_of("program_event")
    heard = {row["idempotency_key"]: row["at"] for row in reversed(box.far("dacs").requests()) if row["status"] == 200}
    ways = {row.number: row for row in _by_the_ledger(ledger)}
    found = [(at, ways[number_of("event_status", f"M{stage[1:]}")]) for stage, at in posted.items() if stage in effects]
    seconds = sorted(heard[way.key] - at for at, way in found)
    return {
        "messages": len(posted), "lost": len(posted) - len(found),
        "twice": sum(each["effects"] > 1 for each in effects.values()),
        "p50_s": round(statistics.median(seconds), 2), "p95_s": _p95(seconds), "max_s": round(seconds[-1], 2),
        "to_be_stored_p95_s": _p95([way.received_at - at for at, way in found]),
        "until_a_worker_takes_it_p95_s": _p95([way.at - way.received_at for _, way in found]),
        "until_dacs_has_it_p95_s": _p95([heard[way.key] - way.at for _, way in found]),
    }  # fmt: skip


def _p95(seconds: list[float]) -> float:
    return round(sorted(seconds)[int(len(seconds) * 0.95)], 2)


def _by_the_ledger(ledger: Ledger) -> list[Any]:
    """When each message was stored, when a worker first took it up, and under which key it went."""
    look = (
        select(messages.c.number, messages.c.received_at, parcels.c.key, func.min(attempts.c.at).label("at"))
        .join(deliveries, deliveries.c.intake_id == messages.c.intake_id)
        .join(parcels, parcels.c.delivery_id == deliveries.c.id)
        .join(attempts, attempts.c.parcel_id == parcels.c.id)
        .where(deliveries.c.destination == "dacs_program_event")
        .group_by(messages.c.number, messages.c.received_at, parcels.c.key)
    )
    with ledger.read() as tx:
        return list(tx.execute(look))


def _table(found: dict[str, Any]) -> str:
    return (
        f"{found['messages']} messages, one a second: p50 {found['p50_s']} s, p95 {found['p95_s']} s, "
        f"longest {found['max_s']} s (p95 at most {MOST_SECONDS:.0f} s)\n"
        f"of that, each p95: until it is stored {found['to_be_stored_p95_s']} s, until a worker takes it "
        f"{found['until_a_worker_takes_it_p95_s']} s, until DACS has it {found['until_dacs_has_it_p95_s']} s\n"
        f"lost {found['lost']}, twice {found['twice']}"
    )


if __name__ == "__main__":
    sys.exit(main())
