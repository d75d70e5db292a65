"""Connections as Airflow writes them, and what their addresses open."""

from __future__ import annotations

import json

import pytest

from drbridge.adapters.outside import (
    ConnectionsOutside,
    connection_from_json,
    environment_connection,
)
from drbridge.errors import Misconfigured
from drbridge.ports import Connection

FIELDS = {
    "conn_type": "sftp",
    "host": "h",
    "port": 22,
    "login": "me",
    "password": "p@ss/word",
    "extra": {"host_key": "k"},
}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(FIELDS),
        json.dumps(FIELDS | {"extra": json.dumps(FIELDS["extra"]), "port": "22"}),
        json.dumps({"uri": "sftp://me:p%40ss%2Fword@h:22?host_key=k"}),
        "sftp://me:p%40ss%2Fword@h:22?host_key=k",
        "sftp://me:p%40ss%2Fword@h:22/?__extra__=%7B%22host_key%22%3A+%22k%22%7D",
    ],
)
def test_a_connection_reads_the_same_in_every_form(text: str) -> None:
    assert connection_from_json("x", text) == Connection("x", "sftp", "h", 22, "me", "p@ss/word", "", {"host_key": "k"})


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"port": "x"}', '{"extra": [1]}', "no address", "sftp://h:99999"])
def test_what_is_no_connection_is_our_mistake_and_shows_no_secret(text: str) -> None:
    with pytest.raises(Misconfigured):
        connection_from_json("x", text)


def test_an_address_without_port_and_login() -> None:
    assert connection_from_json("x", "https://derms.example/") == Connection(
        "x", "http", "derms.example", schema="https"
    )


def test_secrets_do_not_show() -> None:
    assert "p@ss" not in repr(connection_from_json("x", json.dumps(FIELDS)))


def test_the_environment_names_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_DACS_FILES", json.dumps(FIELDS))
    assert environment_connection("dacs_files").host == "h"
    with pytest.raises(Misconfigured, match="no connection other"):
        environment_connection("other")


CONNECTIONS = {
    "files": Connection("files", "sftp", "h"),
    "objects": Connection("objects", "aws", login="a", password="b", extra={"endpoint_url": "http://127.0.0.1:1"}),
    "rest": Connection("rest", "http", "h"),
}


@pytest.mark.parametrize(
    "url",
    ["sftp://files/outgoing/scores", "sftp://files//abs/folder", "s3://objects/bucket/in/x", "s3://objects/bucket"],
)
def test_a_place_opens_under_its_address(url: str) -> None:
    store = ConnectionsOutside(CONNECTIONS.__getitem__).store(url)
    assert store.url == url
    store.close()


@pytest.mark.parametrize(
    "url", ["ftp://files/x", "sftp:///x", "s3://objects", "s3://objects/", "x", "sftp://objects/x", "s3://files/b/p"]
)
def test_what_is_no_place_is_our_mistake(url: str) -> None:
    with pytest.raises(Misconfigured):
        ConnectionsOutside(CONNECTIONS.__getitem__).store(url)


def test_a_target_needs_an_http_connection() -> None:
    outside = ConnectionsOutside(CONNECTIONS.__getitem__)
    outside.target("rest")
    with pytest.raises(Misconfigured):
        outside.target("files")
