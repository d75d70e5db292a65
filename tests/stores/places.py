"""The places that files lie in, for one exam: what our adapter does, and what the other side has in hand."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from drbridge.adapters.inbox_folder import InboxFolder
from drbridge.adapters.s3 import S3Store
from drbridge.adapters.several import SeveralPlaces
from drbridge.adapters.sftp import SftpStore
from drbridge.ports import Connection, FileStore
from drbridge_sandbox.content_server import ContentServer
from drbridge_sandbox.object_store import ObjectStore

BUCKET = "drbridge"


class Server(Protocol):
    def start(self) -> None: ...
    def stop(self) -> None: ...


@dataclass
class Place:
    """One empty folder of a server.

    Attributes:
        connect: opens another store of ours on the folder.
        connection: how; tests spoil it.
    """

    server: Server
    connection: Connection
    folder: str
    connect: Callable[[Connection], FileStore]
    opened: list[FileStore] = field(default_factory=list)

    def store(self, **changed: Any) -> FileStore:
        made = self.connect(replace(self.connection, **changed))
        self.opened.append(made)
        return made

    def close(self) -> None:
        for store in self.opened:
            store.close()

    def drop(self, name: str, data: bytes, mtime: float | None = None) -> None:
        raise NotImplementedError

    def files(self) -> dict[str, bytes]:
        raise NotImplementedError

    def make_folder(self, name: str) -> None:
        raise NotImplementedError


@dataclass
class Disk:
    """No server: a folder of this machine, which the inbox lays files into."""

    root: Path

    def start(self) -> None: ...
    def stop(self) -> None: ...


class FolderPlace(Place):
    """A folder that the other side sees as a directory of its disk."""

    @property
    def path(self) -> Path:
        assert isinstance(self.server, (ContentServer, Disk))
        return self.server.root / self.folder

    def drop(self, name: str, data: bytes, mtime: float | None = None) -> None:
        (self.path / name).write_bytes(data)
        if mtime is not None:
            os.utime(self.path / name, (mtime, mtime))

    def files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.path.iterdir() if path.is_file()}

    def make_folder(self, name: str) -> None:
        (self.path / name).mkdir()


class SftpPlace(FolderPlace):
    """A folder of a content server."""


class S3Place(Place):
    """A prefix that the other side sees through a client of its own."""

    @cached_property
    def client(self) -> Any:
        assert isinstance(self.server, ObjectStore)
        return self.server.client()

    def drop(self, name: str, data: bytes, mtime: float | None = None) -> None:
        self.client.put_object(Bucket=BUCKET, Key=f"{self.folder}/{name}", Body=data)

    def files(self) -> dict[str, bytes]:
        client, found = self.client, {}
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=f"{self.folder}/"):
            for item in page.get("Contents", ()):
                name = item["Key"].removeprefix(f"{self.folder}/")
                found[name] = client.get_object(Bucket=BUCKET, Key=item["Key"])["Body"].read()
        return found

    def make_folder(self, name: str) -> None:
        self.drop(f"{name}/", b"")
        self.drop(f"{name}/inside", b"1")


class InboxPlace(FolderPlace):
    """A folder of the inbox."""


def inbox_place(root: Path, folder: str) -> InboxPlace:
    (root / folder).mkdir(parents=True)
    return InboxPlace(Disk(root), Connection("", ""), folder, lambda _: InboxFolder(root, folder))


def several_place(root: Path, folder: str) -> InboxPlace:
    """Two folders as one; the files of the exam lie in the first."""
    made = inbox_place(root, folder)
    made.connect = lambda _: SeveralPlaces([InboxFolder(root, folder), InboxFolder(root, f"{folder}-behind")])
    return made


LOCAL = {"inbox": inbox_place, "several": several_place}


def sftp_place(server: ContentServer, folder: str) -> SftpPlace:
    path = server.root / folder
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    connection = Connection(conn_id="files", **server.connection())  # type: ignore[arg-type]
    return SftpPlace(server, connection, folder, lambda how: SftpStore(how, folder))


def s3_place(server: ObjectStore, folder: str) -> S3Place:
    connection = Connection(conn_id="objects", **server.connection())  # type: ignore[arg-type]
    return S3Place(server, connection, folder, lambda how: S3Store(how, BUCKET, folder))
