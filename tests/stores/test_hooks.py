"""The hooks' test buttons look for real: they log in, check host keys and fetch tokens."""

from __future__ import annotations

from tests import airflow_settings  # before Airflow is imported

# isort: split

import json
from collections.abc import Iterator
from typing import Any

import pytest

from drbridge.errors import Misconfigured
from drbridge_airflow.hooks import connection_of, outside
from drbridge_sandbox.content_server import ContentServer
from drbridge_sandbox.object_store import ObjectStore
from tests.stores.rest_server import RestServer, running

assert airflow_settings


@pytest.fixture
def rest() -> Iterator[RestServer]:
    with running() as server:
        yield server


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Any:
    def made(conn_id: str, fields: dict[str, Any]) -> None:
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(fields))

    return made


def http(server: RestServer, **extra: object) -> dict[str, Any]:
    return {"conn_type": "http", "host": "127.0.0.1", "port": server.port, "schema": "http", "login": "me",
            "password": "pass", "extra": extra}  # fmt: skip


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


def test_a_content_server_is_looked_at(connect: Any, content_server: ContentServer) -> None:
    from drbridge_airflow.hooks.content_server import ContentServerHook

    connect("files", content_server.connection())
    ok, text = ContentServerHook("files").test_connection()
    assert ok, text
    connect("files", content_server.connection() | {"extra": {}})
    ok, text = ContentServerHook("files").test_connection()
    assert not ok
    assert "host key" in text


def test_a_folder_of_a_content_server_opens(connect: Any, content_server: ContentServer) -> None:
    from drbridge_airflow.hooks.content_server import ContentServerHook

    (content_server.root / "hook").mkdir(exist_ok=True)
    connect("files", content_server.connection())
    store = ContentServerHook("files").store("hook")
    assert store.list() == []
    store.close()


def test_object_storage_is_looked_at(connect: Any, object_store: ObjectStore) -> None:
    from drbridge_airflow.hooks.object_storage import ObjectStorageHook

    connect("objects", object_store.connection())
    assert ObjectStorageHook("objects").test_connection() == (True, "Logged in; buckets: drbridge")
    assert ObjectStorageHook("objects").store("drbridge", "hook").list() == []
    connect("objects", object_store.connection() | {"password": "wrong-secret"})
    ok, text = ObjectStorageHook("objects").test_connection()
    assert not ok
    assert "refuses our login" in text


def test_a_rest_target_is_looked_at(connect: Any, rest: RestServer) -> None:
    from drbridge_airflow.hooks.rest import RestHook

    connect("rest", http(rest, health_path="/echo"))
    assert RestHook("rest").test_connection() == (True, "It answers HTTP 200 at /echo")
    connect("rest", http(rest, auth="oauth2", token_path="/oauth/token", health_path="/guarded"))
    assert RestHook("rest").test_connection()[0]
    rest.token_status = 401
    assert not RestHook("rest").test_connection()[0]
    connect("rest", http(rest, health_path="/redirect"))
    assert RestHook("rest").test_connection() == (False, "It answers HTTP 302 at /redirect")


def test_the_outside_of_a_worker_is_made_of_airflows_connections(connect: Any, object_store: ObjectStore) -> None:
    connect("objects", object_store.connection())
    assert outside().store("s3://objects/drbridge/none").list() == []
