"""A folder of the inbox: files that came by REST, laid beside the staging for the flow that takes them."""

from __future__ import annotations

import os
import stat as modes
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from drbridge.adapters.names import HIDDEN_PREFIX, check_name, from_bytes, hidden_name, is_file_name, to_bytes
from drbridge.errors import Misconfigured, Unreachable, Unstable
from drbridge.ports import AlreadyThere, Entry, UploadNote
from drbridge.spans import Spans, read_some, size_of

CHUNK_BYTES = 1 << 20
END_BYTES = 64 << 10
Entries = list[Entry]


class InboxFolder:
    """A `FileStore` on a local folder; a file appears in it whole, under its name, and on the disk for good.

    Args:
        root: where all folders of the inbox lie.
        place: the name of this one.
    """

    def __init__(self, root: Path, place: str) -> None:
        self.url, self._folder = f"inbox://{place}", root / place

    def list(self) -> Entries:
        """All files; none when nothing was ever posted."""
        with self._told("list the folder"):
            try:
                names = [from_bytes(os.fsencode(item.name)) for item in os.scandir(self._folder) if _is_file(item)]
            except FileNotFoundError:
                return []
        return [entry for name in names if is_file_name(name) and (entry := self.stat(name)) is not None]

    def stat(self, name: str) -> Entry | None:
        """The file, or None when it is not there."""
        path = self.path(name)
        with self._told(f"look at {name}"):
            try:
                return self._entry(name, path.stat())
            except FileNotFoundError:
                return None

    def ends_hash(self, name: str, size: int) -> str:
        """Hash of both ends."""
        with self._opened(name) as file:
            start = file.read(END_BYTES)
            file.seek(max(0, size - END_BYTES))
            return sha256(start + file.read(END_BYTES)).hexdigest()

    @contextmanager
    def open(self, name: str, spans: Spans | None = None) -> Iterator[Iterator[bytes]]:
        """Streams the file, or some of it, and at its end makes sure that it stayed the same."""
        with self._opened(name) as file:
            yield self._checked(file, name, spans)

    def _checked(self, file: BinaryIO, name: str, spans: Spans | None) -> Iterator[bytes]:
        before, count = self._entry(name, os.fstat(file.fileno())), 0
        wanted = [(0, before.size)] if spans is None else spans
        chunks = read_some(file, wanted, CHUNK_BYTES)
        while chunk := self._next(chunks, name):
            count += len(chunk)
            yield chunk
        if count != size_of(wanted) or self.stat(name) != before:
            raise Unstable(
                f"{name} changed while it was read", detail=f"{before.size} bytes before, {count} came",
                fix="nothing: it is read again when it is quiet",
            )  # fmt: skip

    def _next(self, chunks: Iterator[bytes], name: str) -> bytes:
        with self._told(f"read {name}"):
            return next(chunks, b"")

    @contextmanager
    def upload(self, name: str, size: int | None = None, note: UploadNote | None = None) -> Iterator[InboxUpload]:
        """Writes under a hidden name first."""
        check_name(name)
        draft = self._path(hidden_name(name))
        with self._told(f"write {name}"):
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            file = draft.open("xb")
        try:
            with file:
                yield InboxUpload(self, name, draft, file)
        finally:
            with self._told(f"remove the draft of {name}"):
                draft.unlink(missing_ok=True)

    def clear(self, before: float, begun: Collection[str]) -> int:
        """Removes old drafts."""
        with self._told("clear away what lost uploads left"):
            drafts = [path for path in self._folder.glob(f"{HIDDEN_PREFIX}*") if path.stat().st_mtime < before]
            for draft in drafts:
                draft.unlink(missing_ok=True)
        return len(drafts)

    def rename(self, old: str, new: str) -> None:
        """Renames; never overwrites. One that was cut off in the middle is finished by the next."""
        source, target = self.path(old), self.path(new)
        with self._told(f"rename {old}"):
            try:
                self.put_in_place(source, new)
            except AlreadyThere:
                if not source.exists() or not source.samefile(target):
                    raise
            except FileNotFoundError:
                raise _gone(old, self.url) from None
            source.unlink(missing_ok=True)
            self.sync()

    def put_in_place(self, draft: Path, name: str) -> None:
        """Gives a file a further name, which must be free.

        Raises:
            AlreadyThere: it is taken.
        """
        try:
            os.link(draft, self._path(name))
        except FileExistsError:
            raise AlreadyThere(self.stat(name) or Entry(name, 0, 0.0)) from None

    def sync(self) -> None:
        """Makes the names durable."""
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def remove(self, name: str) -> None:
        """Takes a file away."""
        path = self.path(name)
        with self._told(f"remove {name}"):
            path.unlink(missing_ok=True)

    def close(self) -> None:
        """Nothing is held open."""

    def path(self, name: str) -> Path:
        """Where a file of this name lies.

        Raises:
            BadInput: it is no plain name.
        """
        return self._path(check_name(name))

    def _path(self, name: str) -> Path:
        return self._folder / os.fsdecode(to_bytes(name))

    @contextmanager
    def _opened(self, name: str) -> Iterator[BinaryIO]:
        path = self.path(name)
        with self._told(f"read {name}"):
            try:
                file = path.open("rb")
            except FileNotFoundError:
                raise _gone(name, self.url) from None
        with file:
            yield file

    def _entry(self, name: str, found: os.stat_result) -> Entry:
        if not modes.S_ISREG(found.st_mode):
            raise Misconfigured(f"{self.url}/{name} is no file", fix="remove the folder of that name")
        version = f"{found.st_ino}-{found.st_size}-{found.st_mtime_ns}"
        return Entry(name, found.st_size, found.st_mtime, version)

    @contextmanager
    def _told(self, doing: str) -> Iterator[None]:
        """A disk that fails is told as any other place that cannot be reached."""
        try:
            yield
        except OSError as error:
            raise Unreachable(
                f"{self.url} cannot be worked with", detail=f"{doing}: {error.strerror}",
                fix="look at the disk that holds the staging: is it full, is it there, may we write to it?",
            ) from error  # fmt: skip


class InboxUpload:
    """A file on its way into the folder, under a hidden name."""

    def __init__(self, folder: InboxFolder, name: str, draft: Path, file: BinaryIO) -> None:
        self._folder, self._name, self._draft, self._file = folder, name, draft, file
        self._hash = sha256()

    def write(self, data: bytes) -> None:
        """Adds to the file."""
        with self._folder._told(f"write {self._name}"):
            self._file.write(data)
        self._hash.update(data)

    def complete(self, sha256: str, replaces: str | None = None) -> Entry:
        """Makes the bytes durable, then gives the file its name.

        Replacing looks first and renames then.
        """
        if self._hash.hexdigest() != sha256:
            raise Unstable(f"{self._name} was not written as it was read", fix="send it again")
        with self._folder._told(f"write {self._name}"):
            self._file.flush()
            os.fsync(self._file.fileno())
            self._put_in_place(replaces)
            self._folder.sync()
            return self._folder._entry(self._name, os.fstat(self._file.fileno()))

    def _put_in_place(self, replaces: str | None) -> None:
        there = self._folder.stat(self._name) if replaces is not None else None
        if there is None:
            self._folder.put_in_place(self._draft, self._name)
        elif there.version == replaces:
            self._draft.replace(self._folder.path(self._name))
        else:
            raise AlreadyThere(there)


def _is_file(item: os.DirEntry[str]) -> bool:
    return item.is_file(follow_symlinks=False)


def _gone(name: str, url: str) -> Unstable:
    return Unstable(f"{name} is not in {url} any more", fix="nothing: the next run looks again")
