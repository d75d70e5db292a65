"""Canaries through a real Airflow: nothing of a message is in task logs, XCom, API answers or what Airflow keeps."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from drbridge.inbox.paths import DOORS, SHORT_PREFIX
from drbridge.ledger.states import MOVING
from drbridge.ledger.tables import parcels
from drbridge.systems import DEFAULT_FILE, load
from tests.airflow_rig import Rig, rig, until
from tests.flows.canaries import Cage, Parrot, parrot, planted, spoilt

PRIVATE = ("sandbox", "staging", "seal.key")
FLOWS = {flow.message: flow.name for flow in load(DEFAULT_FILE).flows.values() if flow.message}


@pytest.fixture
def cage() -> Cage:
    return Cage()


@pytest.fixture
def bird() -> Iterator[Parrot]:
    with parrot() as bird:
        yield bird


@pytest.fixture
def running(tmp_path: Path, cage: Cage, bird: Parrot) -> Iterator[Rig]:
    env = {}
    for system in ("dacs", "derms", "ccs"):
        env[f"AIRFLOW_CONN_{system.upper()}_REST"] = json.dumps({
            "conn_type": "http", "schema": "http", "host": "127.0.0.1", "port": bird.server_address[1],
            "login": "drbridge", "password": cage.secret(), "extra": {"auth": "basic"},
        })  # fmt: skip
    with rig(tmp_path, **env) as running:
        yield running


@pytest.mark.timeout(420)
def test_nothing_a_message_says_stays_in_airflow(running: Rig, cage: Cage, bird: Parrot, tmp_path: Path) -> None:
    bird.echo = "as it came"
    login = b64encode(f"{running.airflow.user}:{running.airflow.password}".encode()).decode()
    answers = [_post(running, cage, "event-statuses", {}, f"Bearer {cage.secret()}")]
    for door in (each for each in DOORS if each.noun in FLOWS):
        for data in (planted(cage, door.noun), *list(spoilt(cage, door.noun))[:10]):
            answers.append(_post(running, cage, door.short, data, f"Basic {login}"))
    assert {status for status, _ in answers} == {202, 401, 422}
    running.unpause(*FLOWS.values(), "resume")
    until(lambda: _settled(running), 200, "everything was refused")
    running.airflow.stop()
    kept = [
        file for file in tmp_path.rglob("*") if file.is_file() and file.relative_to(tmp_path).parts[0] not in PRIVATE
    ]
    assert any(file.name == "airflow.db" for file in kept)
    assert sum("task_id=send" in str(file) for file in kept) >= len(FLOWS)
    leaks = {str(file): found for file in kept if (found := cage.found_in([file.read_bytes()]))}
    assert leaks == {}
    assert cage.found_in(body for _, body in answers) == {}


def _settled(running: Rig) -> bool:
    with running.ledger.read() as tx:
        states = list(tx.execute(select(parcels.c.state)).scalars())
    return states.count("REJECTED") >= len(FLOWS) and not any(each in states for each in MOVING)


def _post(running: Rig, cage: Cage, path: str, data: object, authorization: str) -> tuple[int, bytes]:
    head = {"Authorization": authorization, "Content-Type": "application/json", "X-Api-Key": cage.secret()}
    url = f"{running.airflow.url}{SHORT_PREFIX}/{path}"
    asked = urllib.request.Request(url, json.dumps(data).encode(), head)
    try:
        with urllib.request.urlopen(asked, timeout=120) as reply:
            return reply.status, reply.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
