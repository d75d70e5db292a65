"""One sandbox for all exams; each exam begins with empty folders, an empty memory and a ledger of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from drbridge.adapters.outside import ConnectionsOutside, connection_from_json
from drbridge.exchange.desk import Desk
from drbridge.exchange.staging import Staging
from drbridge.ledger.database import Ledger
from drbridge.ledger.schema import upgrade
from drbridge.ports import Connection
from drbridge.systems import DEFAULT_FILE, Systems, load
from drbridge_sandbox.sandbox import Sandbox

SAMPLES = Path(__file__).resolve().parents[1] / "samples"


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with Sandbox(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


@pytest.fixture
def systems() -> Systems:
    """systems.toml as shipped, but files count as quiet at once."""
    shipped = load(DEFAULT_FILE)
    return shipped.model_copy(update={"site": shipped.site.model_copy(update={"quiet_seconds": 0.0})})


@pytest.fixture
def box(sandbox: Sandbox, systems: Systems) -> Sandbox:
    """The sandbox, swept clean."""
    for system in sandbox.services:
        sandbox.far(system).reset()
    places = {url for flow in systems.flows.values() for url in flow.places}
    urls = {store.url for store in systems.stores.values()} | places
    for url in urls | {f"{url}/rejects" for url in urls}:
        place = sandbox.place(url)
        for name in place.names():
            place.remove(name)
    return sandbox


def desk_of(box: Sandbox, systems: Systems, folder: Path) -> Desk:
    """A desk on the sandbox, its ledger and staging under `folder`."""
    ledger = Ledger(f"sqlite:///{folder / 'ledger.db'}")
    upgrade(ledger)
    staging = Staging((folder / "staging").as_uri())
    return Desk(systems, ledger, staging, ConnectionsOutside(partial(connection_of, box), inbox=staging.inbox))


def connection_of(box: Sandbox, conn_id: str) -> Connection:
    """One of the sandbox's connections."""
    return connection_from_json(conn_id, json.dumps(box.connections()[conn_id]))


@pytest.fixture
def desk(box: Sandbox, systems: Systems, tmp_path: Path) -> Iterator[Desk]:
    made = desk_of(box, systems, tmp_path)
    yield made
    made.ledger.close()


def run_until_killed(box: Sandbox, folder: Path, flow: str, step: str) -> None:
    """Runs a flow in a process of its own that is killed (SIGKILL) right before it notes what it sent."""
    environment = {**os.environ, **box.env(), "DRBRIDGE_TEST_FOLDER": str(folder)}
    ended = subprocess.run([sys.executable, "-m", "tests.flows.killed", flow, step], env=environment, check=False)
    assert ended.returncode == -9
