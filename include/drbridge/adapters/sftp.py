"""Folders of content servers, over SFTP."""

from __future__ import annotations

import asyncio
import stat as modes
from collections.abc import Collection, Coroutine, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from typing import Any, TypeVar

import asyncssh
from asyncssh.sftp import SFTPAttrs, SFTPClient, SFTPClientFile, SFTPName, SFTPNoSuchFile, SFTPNoSuchPath

from drbridge.adapters.names import HIDDEN_PREFIX, check_name, from_bytes, hidden_name, is_file_name, to_bytes
from drbridge.adapters.sftp_session import SftpSession, explained, open_session
from drbridge.adapters.sftp_transfer import STALL_SECONDS, ReadAhead, WriteBehind, read_at
from drbridge.errors import DrBridgeError, Misconfigured, Unreachable, Unstable
from drbridge.loop import LoopThread
from drbridge.ports import AlreadyThere, Connection, Entry, UploadNote
from drbridge.spans import Spans, size_of

T = TypeVar("T")
Entries = list[Entry]
ENDS_BYTES = 64 << 10
_ABSENT = (SFTPNoSuchFile, SFTPNoSuchPath)


class SftpStore:
    """One folder of a content server.

    The connection is made at first use and made anew when it was lost. SFTP has no tags of content: an entry's
    `version` is its size and time, which tells a file of ours from a later one of somebody else's.

    Args:
        connection: an Airflow connection of type `sftp`; the extras `host_key` (or `known_hosts`, or
            `no_host_key_check`) and `private_key` (or `key_file`) are read.
        folder: relative to where the login starts; with a leading slash, from the root.
    """

    def __init__(self, connection: Connection, folder: str) -> None:
        self.url = f"sftp://{connection.conn_id}/{folder}"
        self._connection = connection
        self._folder = folder.rstrip("/") or "."
        self._runner: LoopThread | None = None
        self._session: SftpSession | None = None

    def list(self) -> list[Entry]:
        return self._run(self._list(), "list its folder")

    async def _list(self) -> Entries:
        client, found = await self._client(), Entries()
        async for item in client.scandir(to_bytes(self._folder)):
            if entry := await self._listed(client, item):
                found.append(entry)
        return found

    async def _listed(self, client: SFTPClient, item: SFTPName) -> Entry | None:
        name, attrs = _name_of(item), item.attrs
        if not is_file_name(name):
            return None
        if attrs.permissions is None or modes.S_ISLNK(_mode(attrs)) or attrs.size is None or attrs.mtime is None:
            try:
                attrs = await client.stat(self._path(name))
            except _ABSENT:
                return None
        return _entry(name, attrs) if _is_file(attrs) else None

    def stat(self, name: str) -> Entry | None:
        check_name(name)
        return self._run(self._stat(name), f"look at {name}")

    async def _stat(self, name: str) -> Entry | None:
        client = await self._client()
        try:
            attrs = await client.stat(self._path(name))
        except _ABSENT:
            return None
        if not _is_file(attrs):
            raise Misconfigured(f"{self.url}/{name} is no file", fix="remove the folder of that name")
        return _entry(name, attrs)

    def ends_hash(self, name: str, size: int) -> str:
        check_name(name)
        return self._run(self._ends_hash(name, size), f"read {name}")

    async def _ends_hash(self, name: str, size: int) -> str:
        async with await self._open_there(name) as file:
            ends = await _ends_of(file, size)
        return ends

    async def _open_there(self, name: str) -> SFTPClientFile:
        client = await self._client()
        try:
            return await client.open(self._path(name), "rb", block_size=0)
        except _ABSENT as error:
            raise Unstable(f"{name} is not in {self.url} any more", fix="nothing: the next run looks again") from error

    @contextmanager
    def open(self, name: str, spans: Spans | None = None) -> Iterator[Iterator[bytes]]:
        check_name(name)
        file, before, block = self._run(self._begin_reading(name), f"read {name}")
        reader = ReadAhead(self._loop(), file, [(0, before.size)] if spans is None else spans, block)
        try:
            yield self._checked(reader, file, before, spans)
        finally:
            reader.stop()
            with suppress(DrBridgeError):
                self._run(file.close(), f"close {name}")

    async def _begin_reading(self, name: str) -> tuple[SFTPClientFile, Entry, int]:
        file = await self._open_there(name)
        return file, _entry(name, await file.stat()), (await self._client()).limits.max_read_len

    def _checked(self, reader: ReadAhead, file: SFTPClientFile, before: Entry, spans: Spans | None) -> Iterator[bytes]:
        """Passes the bytes on, and at the end makes sure that the file stayed the same all the while."""
        count, first, last = 0, b"", b""
        chunks = iter(reader)
        while (chunk := self._next(chunks, before.name)) is not None:
            count += len(chunk)
            first = first if len(first) >= ENDS_BYTES else (first + chunk)[:ENDS_BYTES]
            last = (last + chunk[-ENDS_BYTES:])[-ENDS_BYTES:]
            yield chunk
        after = self._run(self._look_again(file, before), f"look at {before.name} again")
        wanted = before.size if spans is None else size_of(spans)
        is_same = spans is not None or after[2] == _hash_of_ends(first, last)
        if count != wanted or any(seen != before for seen in after[:2]) or not is_same:
            raise Unstable(
                f"{before.name} changed while it was read",
                detail=f"{before.size} bytes before, {after[0].size} after, {count} came",
                fix="nothing: it is read again when it is quiet",
            )

    def _next(self, chunks: Iterator[bytes], name: str) -> bytes | None:
        with explained(self._connection, f"read {name}"):
            return next(chunks, None)

    async def _look_again(self, file: SFTPClientFile, before: Entry) -> tuple[Entry, Entry, str]:
        """The file we read, the file now under its name, and the hash of that one's ends."""
        async with await self._open_there(before.name) as now:
            ends, there = await _ends_of(now, before.size), _entry(before.name, await now.stat())
        return _entry(before.name, await file.stat()), there, ends

    @contextmanager
    def upload(self, name: str, size: int | None = None, note: UploadNote | None = None) -> Iterator[SftpUpload]:
        check_name(name)
        hidden = hidden_name(name)
        file, block = self._run(self._create(hidden), f"write {name}")
        upload = SftpUpload(self, name, hidden, WriteBehind(self._loop(), file, block))
        try:
            yield upload
        finally:
            upload.end()

    async def _create(self, hidden: str) -> tuple[SFTPClientFile, int]:
        """Creates the hidden file; a folder that is missing is made when its parent is there."""
        client = await self._client()
        try:
            file = await client.open(self._path(hidden), "xb", block_size=0)
        except _ABSENT:
            with suppress(asyncssh.SFTPFailure):
                await client.mkdir(to_bytes(self._folder))
            file = await client.open(self._path(hidden), "xb", block_size=0)
        return file, client.limits.max_write_len

    def clear(self, before: float, begun: Collection[str]) -> int:
        return self._run(self._clear(before), "clear away what lost uploads left")

    async def _clear(self, before: float) -> int:
        """Removes old files under hidden names; a folder that is not there has none."""
        client, count = await self._client(), 0
        try:
            listed = [_name_of(item) async for item in client.scandir(to_bytes(self._folder))]
        except _ABSENT:
            return 0
        for name in listed:
            if name.startswith(HIDDEN_PREFIX) and (there := await self._stat(name)) and there.mtime < before:
                await self.remove_there(name)
                count += 1
        return count

    def rename(self, old: str, new: str) -> None:
        check_name(old)
        check_name(new)
        self._run(self._rename(old, new), f"rename {old}")

    async def _rename(self, old: str, new: str) -> None:
        """Renames as SFTP defines it: a taken name is an error, on OpenSSH without a gap between look and act."""
        if (there := await self._stat(new)) is not None:
            raise AlreadyThere(there)
        client = await self._client()
        try:
            await client.rename(self._path(old), self._path(new))
        except _ABSENT as error:
            raise Unstable(f"{old} is not in {self.url} any more", fix="nothing: the next run looks again") from error
        except (asyncssh.SFTPFailure, asyncssh.SFTPFileAlreadyExists):
            if (there := await self._stat(new)) is not None:
                raise AlreadyThere(there) from None
            raise

    async def put_in_place(self, hidden: str, name: str, size: int, replaces: str | None) -> Entry:
        """Gives a hidden, whole file its name; it takes the place of another only if that is the one it `replaces`.

        Replacing looks first and renames then: SFTP cannot do both at once.
        """
        client = await self._client()
        written = await client.stat(self._path(hidden))
        if written.size != size:
            raise Unreachable(f"{name} lost bytes on its way", detail=f"{size} sent, {written.size} there")
        if replaces is None:
            await self._rename(hidden, name)
        else:
            there = await self._stat(name)
            if there is not None and there.version != replaces:
                raise AlreadyThere(there)
            await client.posix_rename(self._path(hidden), self._path(name))
        return _entry(name, written)

    def remove(self, name: str) -> None:
        check_name(name)
        self._run(self.remove_there(name), f"remove {name}")

    async def remove_there(self, name: str) -> None:
        client = await self._client()
        with suppress(*_ABSENT):
            await client.remove(self._path(name))

    def check(self) -> None:
        """Looks whether the folder can be listed.

        Raises:
            DrBridgeError: it cannot; the error says what to do.
        """
        self.list()

    def close(self) -> None:
        if self._runner is None:
            return
        if self._session is not None:
            with suppress(DrBridgeError):
                self._run(self._session.close(), "close")
        self._runner.close()
        self._runner = self._session = None

    def _loop(self) -> LoopThread:
        if self._runner is None:
            self._runner = LoopThread(f"sftp {self._connection.conn_id}")
        return self._runner

    def _run(self, coroutine: Coroutine[Any, Any, T], doing: str) -> T:
        async def in_time() -> T:
            async with asyncio.timeout(STALL_SECONDS):
                return await coroutine

        with explained(self._connection, doing):
            return self._loop().run(in_time())

    async def _client(self) -> SFTPClient:
        if self._session is not None and not self._session.is_open:
            self._session = None
        if self._session is None:
            self._session = await open_session(self._connection)
        return self._session.client

    def _path(self, name: str) -> bytes:
        return to_bytes(f"{self._folder}/{name}")


class SftpUpload:
    """A file on its way into a folder, under a hidden name."""

    def __init__(self, store: SftpStore, name: str, hidden: str, writer: WriteBehind) -> None:
        self._store, self._name, self._hidden, self._writer, self._file = store, name, hidden, writer, writer.file
        self._in_place = False

    def write(self, data: bytes) -> None:
        with explained(self._store._connection, f"write {self._name}"):
            self._writer.write(data)

    def complete(self, sha256: str, replaces: str | None = None) -> Entry:
        """Makes the bytes durable, compares their number, and gives the file its name."""
        with explained(self._store._connection, f"write {self._name}"):
            self._writer.drain()
        entry = self._store._run(self._finish(replaces), f"put {self._name} in place")
        self._in_place = True
        return entry

    async def _finish(self, replaces: str | None) -> Entry:
        with suppress(asyncssh.SFTPOpUnsupported):
            await self._file.fsync()
        await self._file.close()
        return await self._store.put_in_place(self._hidden, self._name, self._writer.written, replaces)

    def end(self) -> None:
        """Leaves no trace of an upload that was not completed; a lost line may keep us from it."""
        if self._in_place:
            return
        with suppress(DrBridgeError):
            self._writer.stop()
            self._store._run(self._discard(), f"remove {self._hidden}")

    async def _discard(self) -> None:
        with suppress(asyncssh.Error, OSError, ValueError):
            await self._file.close()
        await self._store.remove_there(self._hidden)


def _name_of(item: SFTPName) -> str:
    raw = item.filename if isinstance(item.filename, bytes) else item.filename.encode("utf-8", "surrogateescape")
    return from_bytes(raw)


def _mode(attrs: SFTPAttrs) -> int:
    return attrs.permissions or 0


def _is_file(attrs: SFTPAttrs) -> bool:
    return attrs.permissions is None or modes.S_ISREG(attrs.permissions)


def _entry(name: str, attrs: SFTPAttrs) -> Entry:
    size, mtime = int(attrs.size or 0), float(attrs.mtime or 0)
    return Entry(name, size, mtime, f"{size}-{mtime:.0f}")


async def _ends_of(file: SFTPClientFile, size: int) -> str:
    first, last = await read_at(file, 0, ENDS_BYTES), await read_at(file, max(0, size - ENDS_BYTES), ENDS_BYTES)
    return _hash_of_ends(first, last)


def _hash_of_ends(first: bytes, last: bytes) -> str:
    return sha256(first + last).hexdigest()
