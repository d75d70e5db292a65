"""Servers that are strict, stingy or full: what our stores make of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from asyncssh.sftp import SFTPServer

from drbridge.adapters.s3 import S3Store
from drbridge.adapters.sftp import SftpStore
from drbridge.errors import Busy, DrBridgeError, Misconfigured, NotAllowed, Unreachable
from drbridge.ports import Connection, FileStore
from tests.stores import rude


def with_password(connection: Connection, password: str) -> Connection:
    return Connection("rude", "sftp", connection.host, connection.port, "who", password, extra=connection.extra)


def put(store: FileStore, name: str, data: bytes) -> None:
    with store.upload(name) as upload:
        upload.write(data)
        upload.complete("")


@pytest.mark.parametrize("passwords_only", [True, False])
def test_a_wrong_password_is_tried_exactly_once(tmp_path: Path, passwords_only: bool) -> None:
    with rude.sftp(tmp_path, SFTPServer, passwords_only=passwords_only) as (connection, tries):
        store = SftpStore(with_password(connection, "wrong"), "")
        with pytest.raises(Misconfigured, match="refuses our login"):
            store.list()
        store.close()
    assert tries == ["wrong"]


def test_a_right_password_is_enough(tmp_path: Path) -> None:
    with rude.sftp(tmp_path, SFTPServer) as (connection, tries):
        store = SftpStore(connection, "")
        assert store.list() == []
        store.close()
    assert tries == ["right"]


def test_what_a_content_server_forbids_is_not_allowed(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"1")
    with rude.sftp(tmp_path, rude.ReadOnlyDisk) as (connection, _):
        store = SftpStore(connection, "")
        with pytest.raises(NotAllowed):
            put(store, "b.csv", b"2")
        with pytest.raises(NotAllowed):
            store.rename("a.csv", "Sent-a.csv")
        with pytest.raises(NotAllowed):
            store.remove("a.csv")
        store.close()


def test_a_server_that_answers_reads_in_small_pieces_loses_nothing(tmp_path: Path) -> None:
    data = bytes(range(256)) * 2_000
    (tmp_path / "a.csv").write_bytes(data)
    with rude.sftp(tmp_path, rude.StingyReads) as (connection, _):
        store = SftpStore(connection, "")
        with store.open("a.csv") as chunks:
            assert b"".join(chunks) == data
        store.close()


@pytest.mark.parametrize(
    ("status", "code", "meaning"),
    [
        (403, "AccessDenied", NotAllowed),
        (403, "SignatureDoesNotMatch", Misconfigured),
        (404, "NoSuchBucket", Misconfigured),
        (301, "PermanentRedirect", Misconfigured),
        (503, "SlowDown", Busy),
        (500, "InternalError", Unreachable),
    ],
)
def test_what_a_refusal_of_an_object_store_means(status: int, code: str, meaning: type[DrBridgeError]) -> None:
    with rude.s3(status, code) as connection:
        store = S3Store(connection, "bucket", "prefix")
        for attempt in (store.list, lambda: store.stat("a.csv"), lambda: put(store, "a.csv", b"1")):
            with pytest.raises(meaning):
                attempt()
