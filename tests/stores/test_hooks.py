"""Airflow's connections, as our adapters get them."""

from __future__ import annotations

from tests import airflow_settings  # before Airflow is imported

# isort: split

import json
from typing import Any

import pytest

from drbridge.errors import Misconfigured
from drbridge_airflow.hooks import connection_of, outside
from drbridge_sandbox.object_store import ObjectStore

assert airflow_settings


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Any:
    def made(conn_id: str, fields: dict[str, Any]) -> None:
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(fields))

    return made


def test_an_airflow_connection_is_ours_field_by_field(connect: Any) -> None:
    connect(
        "x", {"conn_type": "sftp", "host": "h", "port": 22, "login": "me", "password": "p", "extra": {"host_key": "k"}}
    )
    found = connection_of("x")
    assert (found.conn_id, found.conn_type, found.host, found.port) == ("x", "sftp", "h", 22)
    assert (found.login, found.password, dict(found.extra)) == ("me", "p", {"host_key": "k"})


def test_a_connection_that_nobody_made_is_our_mistake() -> None:
    with pytest.raises(Misconfigured, match="no connection nobody_made"):
        connection_of("nobody_made")


def test_the_outside_of_a_worker_is_made_of_airflows_connections(connect: Any, object_store: ObjectStore) -> None:
    connect("objects", object_store.connection())
    assert outside().store("s3://objects/drbridge/none").list() == []
