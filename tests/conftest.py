"""Real servers for every suite, one of each kind a session; settings that keep tests away from the checkout's state."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from drbridge.exchange.desk import Desk
from drbridge.systems import DEFAULT_FILE, Systems, load
from drbridge_sandbox.children import free_ports
from drbridge_sandbox.content_server import SSHD, ContentServer
from drbridge_sandbox.object_store import ObjectStore
from drbridge_sandbox.sandbox import Sandbox
from tests import postgres
from tests.faults.taken_out import _without_a_safeguard
from tests.flows.conftest import desk_of, sweep

__all__ = ["_without_a_safeguard"]


@pytest.fixture(scope="session", autouse=True)
def _own_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No ledger, no connection and no configuration of the person who runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("AIRFLOW_CONN_", "DRBRIDGE_LEDGER", "DRBRIDGE_STAGING", "AWS_")) or name in (
                "DRBRIDGE_CONFIG", "DRBRIDGE_PROFILE", "DRBRIDGE_HOME",
            ):  # fmt: skip
                patch.delenv(name)
        patch.setenv("DRBRIDGE_HOME", str(tmp_path_factory.mktemp("home")))
        yield


def needs_openssh() -> None:
    """Leaves the test out where OpenSSH is not installed; in CI that is a failure."""
    if not SSHD.exists():
        pytest.skip("OpenSSH is not installed here")


@pytest.fixture(scope="session")
def content_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ContentServer]:
    """A content server on OpenSSH where it is installed, else on asyncssh."""
    root: Path = tmp_path_factory.mktemp("content")
    with ContentServer(root / "files", free_ports(1)[0], "drbridge", "a-password") as server:
        yield server


@pytest.fixture(scope="session")
def object_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    """Object storage with one bucket, `drbridge`."""
    with ObjectStore(tmp_path_factory.mktemp("objects"), free_ports(1)[0], "access", "secret-key") as store:
        store.create_bucket("drbridge")
        yield store


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
    sweep(sandbox, systems)
    return sandbox


@pytest.fixture
def desk(box: Sandbox, systems: Systems, tmp_path: Path) -> Iterator[Desk]:
    made = desk_of(box, systems, tmp_path)
    yield made
    made.ledger.close()


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL cluster of our own."""
    if postgres.find_binaries() is None:
        pytest.skip("PostgreSQL is not installed here")
    with postgres.cluster() as url:
        yield url
