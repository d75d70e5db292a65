"""Folders of content servers and prefixes of buckets, as the system that owns them sees them: not over the network."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

CHUNK = 1 << 20
Data = bytes | Path | Iterable[bytes]

# Every flow's source may be a folder or a bucket, so each content server has the folders of both directions.
FOLDERS = {
    "dacs": ("outgoing/scores", "outgoing/enrollment", "outgoing/settlement", "incoming/energy", "incoming/network",
             "incoming/customers", "incoming/settlement"),
    "derms": ("outgoing/outcome", "outgoing/network", "incoming/forecast"),
    "ouai": ("outgoing/ack", "outgoing/forecast", "outgoing/energy",
             "incoming/enrollment", "incoming/outcome", "incoming/forecast"),
    "cis": ("outgoing/customers", "outgoing/settlement", "incoming/settlement"),
}  # fmt: skip


class Place(Protocol):
    """Where files lie."""

    def drop(self, name: str, data: Data, mtime: float | None = None) -> None:
        """Puts a file there; it is seen when it is whole."""
        ...

    def names(self) -> list[str]:
        """Names of the files there, sorted."""
        ...

    def read(self, name: str) -> Iterator[bytes]: ...

    def remove(self, name: str) -> None: ...


def digest(place: Place, name: str) -> str:
    """sha256 of a file."""
    found = sha256()
    for chunk in place.read(name):
        found.update(chunk)
    return found.hexdigest()


class FolderPlace:
    """A folder of a content server."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def drop(self, name: str, data: Data, mtime: float | None = None) -> None:
        """Writes beside the folder first, then moves it in."""
        self.path.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(prefix=".drop-", dir=self.path.parent)
        with os.fdopen(handle, "wb") as file:
            for chunk in _chunks(data):
                file.write(chunk)
        Path(draft).chmod(0o644)
        if mtime is not None:
            os.utime(draft, (mtime, mtime))
        Path(draft).replace(self.path / name)

    def names(self) -> list[str]:
        return sorted(path.name for path in self.path.iterdir() if path.is_file()) if self.path.exists() else []

    def read(self, name: str) -> Iterator[bytes]:
        with (self.path / name).open("rb") as file:
            while chunk := file.read(CHUNK):
                yield chunk

    def remove(self, name: str) -> None:
        (self.path / name).unlink(missing_ok=True)


class BucketPlace:
    """A prefix of a bucket."""

    def __init__(self, client: Any, bucket: str, prefix: str) -> None:
        self.client, self.bucket, self.prefix = client, bucket, f"{prefix.strip('/')}/" if prefix.strip("/") else ""

    def drop(self, name: str, data: Data, mtime: float | None = None) -> None:
        """Uploads it; storage decides the time."""
        del mtime
        with tempfile.TemporaryFile() as file:
            for chunk in _chunks(data):
                file.write(chunk)
            file.seek(0)
            self.client.put_object(Bucket=self.bucket, Key=self.prefix + name, Body=file)

    def names(self) -> list[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=self.prefix, Delimiter="/"
        )
        keys = [each["Key"] for page in pages for each in page.get("Contents", [])]
        return sorted(key.removeprefix(self.prefix) for key in keys if key != self.prefix)

    def read(self, name: str) -> Iterator[bytes]:
        body = self.client.get_object(Bucket=self.bucket, Key=self.prefix + name)["Body"]
        try:
            yield from body.iter_chunks(CHUNK)
        finally:
            body.close()

    def remove(self, name: str) -> None:
        self.client.delete_object(Bucket=self.bucket, Key=self.prefix + name)


def _chunks(data: Data) -> Iterator[bytes]:
    if isinstance(data, bytes):
        yield data
    elif isinstance(data, Path):
        with data.open("rb") as file:
            while chunk := file.read(CHUNK):
                yield chunk
    else:
        yield from data
