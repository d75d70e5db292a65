"""Hooks: Airflow's connections as our adapters get them, and a look for real whether they work."""

from __future__ import annotations

from tests import airflow_settings  # before Airflow is imported

# isort: split

import json
from collections.abc import Iterator
from typing import Any

import pytest

from drbridge.errors import Misconfigured
from drbridge_airflow.hooks import ContentServerHook, ObjectStorageHook, RestHook
from drbridge_airflow.hooks.connections import connection_of, outside
from drbridge_sandbox.content_server import ContentServer
from drbridge_sandbox.object_store import ObjectStore
from tests.stores.rest_server import RestServer, running

assert airflow_settings


@pytest.fixture
def rest() -> Iterator[RestServer]:
    with running() as server:
        yield server


def http(server: RestServer, **extra: object) -> dict[str, Any]:
    return {"conn_type": "http", "host": "127.0.0.1", "port": server.port, "schema": "http", "login": "me",
            "password": "pass", "extra": extra}  # fmt: skip


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


def test_a_content_server_is_looked_at_and_its_folders_open(connect: Any, content_server: ContentServer) -> None:
    (content_server.root / "hook").mkdir(exist_ok=True)
    connect("files", content_server.connection())
    ok, text = ContentServerHook("files").test_connection()
    assert ok, text
    store = ContentServerHook("files").folder("hook")
    assert store.list() == []
    store.close()
    connect("files", content_server.connection() | {"extra": {}})
    ok, text = ContentServerHook("files").test_connection()
    assert not ok
    assert "host key" in text


def test_a_bucket_is_looked_at_and_its_prefixes_open(connect: Any, object_store: ObjectStore) -> None:
    connect("objects", object_store.connection())
    hook = ObjectStorageHook("objects", "drbridge")
    assert hook.test_connection()[0]
    assert hook.prefix("hook").list() == []
    connect("objects", object_store.connection() | {"password": "wrong-secret"})
    ok, text = hook.test_connection()
    assert not ok
    assert "refuses our login" in text


def test_a_rest_side_is_looked_at_with_its_login(connect: Any, rest: RestServer) -> None:
    connect("rest", http(rest, health_path="/echo"))
    assert RestHook("rest").test_connection() == (True, "answers (HTTP 200)")
    connect("rest", http(rest, auth="oauth2", token_path="/oauth/token", health_path="/guarded"))
    assert RestHook("rest").test_connection()[0]
    rest.token_status = 401
    assert not RestHook("rest").test_connection()[0]
    connect("rest", http(rest, health_path="/redirect"))
    assert not RestHook("rest").test_connection()[0]


def test_a_hook_without_its_connection_says_so() -> None:
    ok, text = RestHook("nobody_made").test_connection()
    assert not ok
    assert "Admin > Connections" in text
