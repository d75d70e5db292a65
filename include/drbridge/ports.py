"""What the core needs from the outside: stores of files, REST targets, a clock.

Adapters (`drbridge.adapters`) provide them over SFTP, S3 and HTTP; Airflow hooks build the adapters from connections.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import NamedTuple, Protocol

from pydantic_core import to_json

from drbridge.spans import Spans

LONGEST_CALL_SECONDS = 60.0
"""How long a request may take, from its first byte to the last of its reply; large bodies have more."""

JsonValue = None | bool | int | float | str | list["JsonValue"] | dict[str, "JsonValue"]


@dataclass(frozen=True, slots=True)
class Connection:
    """How to reach a system: the fields of an Airflow connection, without Airflow."""

    conn_id: str
    conn_type: str  # sftp | aws | http
    host: str = ""
    port: int | None = None
    login: str = ""
    password: str = field(default="", repr=False)
    schema: str = ""
    extra: Mapping[str, JsonValue] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Entry:
    """A file as the other side lists it.

    Attributes:
        mtime: seconds since 1970 UTC; never a cursor, only a sign of change.
        version: a tag of this very content where the store has one (ETag), else empty.
    """

    name: str
    size: int
    mtime: float
    version: str = ""


class Upload(Protocol):
    """A file on its way into a store; nobody sees it under its name before `complete`."""

    def write(self, data: bytes) -> None: ...

    def complete(self, sha256: str, replaces: str | None = None) -> Entry:
        """Puts the file in place under its name, whole and checked.

        Args:
            sha256: of all bytes written; the store's checksum is verified where it has one.
            replaces: the version we put there before and may overwrite; None: the name must be free.

        Raises:
            AlreadyThere: the name is taken (by something other than `replaces`).
        """
        ...


class UploadNote(Protocol):
    """Where it is written down that an upload of ours is under way: what a lost worker left is known by it as ours."""

    def begin(self) -> bool:
        """Writes it down, before the first part is put; says whether it was written down already."""
        ...

    def end(self) -> None:
        """Strikes it out: no part is left that is not in place."""
        ...


class FileStore(Protocol):
    """One folder of a content server, or one prefix of a bucket. Names are plain file names, never paths."""

    url: str

    def list(self) -> list[Entry]:
        """All files of the folder (no folders, no hidden temporary names of ours). A lost connection raises."""
        ...

    def stat(self, name: str) -> Entry | None:
        """The file, or None only when the store says that it does not exist."""
        ...

    def ends_hash(self, name: str, size: int) -> str:
        """Hash of the first and last 64 KiB: tells two looks at a growing or rewritten file apart."""
        ...

    def open(self, name: str, spans: Spans | None = None) -> AbstractContextManager[Iterator[bytes]]:
        """Streams the file once, in large chunks; or only some spans of its bytes.

        Checks size and mtime before and after, and that as many bytes came as it has, or the spans.

        Raises:
            Unstable: it changed, shrank or vanished while being read (raised from the iterator or on exit).
        """
        ...

    def upload(
        self, name: str, size: int | None = None, note: UploadNote | None = None
    ) -> AbstractContextManager[Upload]:
        """Opens an upload; leaving the block without `complete` takes back what was put.

        Args:
            note: for a store that takes a file in parts. With it the parts put before a failure stay, and the next
                upload that finds itself noted sends only those that are not there yet.
        """
        ...

    def clear(self, before: float, begun: Collection[str]) -> int:
        """Takes away what lost uploads of ours left: nobody sees it, and it takes room.

        Args:
            before: seconds since 1970 UTC; what is younger stays.
            begun: names of files that were noted as begun; parts of others are not ours.

        Returns:
            How many uploads and hidden files went.
        """
        ...

    def rename(self, old: str, new: str) -> None:
        """Renames; on object storage copies and deletes. Never overwrites: an existing `new` raises AlreadyThere."""
        ...

    def remove(self, name: str) -> None: ...

    def close(self) -> None: ...


class AlreadyThere(Exception):
    """The name is taken at the target; `entry` is what lies there now."""

    def __init__(self, entry: Entry) -> None:
        super().__init__(f"{entry.name} is already there")
        self.entry = entry


@dataclass(frozen=True, slots=True)
class FilePart:
    """A file sent as multipart/form-data part `file`, streamed.

    Attributes:
        content: gives the bytes afresh each time it is called.
    """

    name: str
    size: int
    content: Callable[[], Iterator[bytes]]
    content_type: str = "text/csv"


@dataclass(frozen=True)
class Call:
    """One request: what goes over the wire, and the key that survives its retries.

    Attributes:
        headers: more of them than every request has.
    """

    method: str
    path: str
    key: str
    json: JsonValue = None
    file: FilePart | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_read(self) -> bool:
        return self.method == "GET"

    @cached_property
    def content(self) -> bytes:
        """Its JSON as it goes over the wire."""
        return to_json(self.json, inf_nan_mode="constants")


class Reply(NamedTuple):
    """What came back, whatever its status. A body over 5 MB is no reply: the request counts as lost.

    Attributes:
        headers: by their names in lower case; of several of one name the first.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float


class NotSent(Exception):
    """The request never left: DNS, connect or TLS failed, or there was no token for it. Safe to send again.

    Attributes:
        instead: what the token service answered, where it has no token for us now.
    """

    def __init__(self, text: str, instead: Reply | None = None) -> None:
        super().__init__(text)
        self.instead = instead


class Lost(Exception):
    """The request may have arrived: the line broke, time ran out, or the reply was no reply."""


class RestTarget(Protocol):
    """A REST side: base address, credentials, time limits. Used inside one event loop."""

    async def call(self, call: Call) -> Reply:
        """Sends once. A 401 refreshes the token and sends once more; redirects are returned, never followed.

        Raises:
            NotSent: nothing left this machine.
            Lost: it may have arrived.
        """
        ...

    async def close(self) -> None: ...


class Clock(Protocol):
    """What time it is, and how much has passed."""

    def now(self) -> datetime:
        """The time of day, UTC."""
        ...

    def monotonic(self) -> float: ...


class Outside(Protocol):
    """Opens what systems.toml names; the one thing exchange needs to reach other systems."""

    def store(self, url: str) -> FileStore:
        """`sftp://<connection id>/<folder>` or `s3://<connection id>/<bucket>/<prefix>`."""
        ...

    def target(self, conn_id: str) -> RestTarget: ...


__all__ = [
    "LONGEST_CALL_SECONDS", "AlreadyThere", "Call", "Clock", "Connection", "Entry", "FilePart", "FileStore",
    "JsonValue", "Lost", "NotSent", "Outside", "Reply", "RestTarget", "Upload", "UploadNote",
]  # fmt: skip
