"""Real servers for every suite, one of each kind a session; settings that keep tests away from the checkout's state."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from drbridge_sandbox.children import free_ports
from drbridge_sandbox.content_server import SSHD, ContentServer
from drbridge_sandbox.object_store import ObjectStore
from tests.faults.taken_out import _without_a_safeguard

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
