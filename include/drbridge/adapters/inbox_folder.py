"""A folder of the inbox: files that came by REST, laid beside the staging for the flow that takes them."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from drbridge.errors import BadInput, Unreachable, Unstable
from drbridge.ports import AlreadyThere, Entry, Upload

HIDDEN = "."
CHUNK_BYTES = 1 << 20
END_BYTES = 64 << 10


class InboxFolder:
    """A `FileStore` on a local folder; whole files only ever appear in it by a rename."""

    def __init__(self, root: Path, place: str) -> None:
        self.url, self._folder = f"inbox://{place}", root / place

    def list(self) -> list[Entry]:
        """All files; none when nothing was ever posted."""
        if not self._folder.exists():
            return []
        names = [each.name for each in os.scandir(self._folder) if each.is_file() and not each.name.startswith(HIDDEN)]
        return [entry for name in names if (entry := self.stat(name)) is not None]

    def stat(self, name: str) -> Entry | None:
        """The file, or None when it is not there."""
        try:
            found = self._path(name).stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unreachable(self.url, error) from error
        return Entry(name, found.st_size, found.st_mtime)

    def ends_hash(self, name: str, size: int) -> str:
        """Hash of both ends."""
        with self._opened(name) as file:
            start = file.read(END_BYTES)
            file.seek(max(0, size - END_BYTES))
            return hashlib.sha256(start + file.read(END_BYTES)).hexdigest()

    @contextmanager
    def open(self, name: str) -> Iterator[Iterator[bytes]]:
        """Streams the file; nobody changes one that lies here."""
        with self._opened(name) as file:
            yield iter(lambda: file.read(CHUNK_BYTES), b"")

    @contextmanager
    def upload(self, name: str, size: int | None = None) -> Iterator[Upload]:
        """Writes under a hidden name first."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = self._folder / f"{HIDDEN}{name}.{secrets.token_hex(4)}"
        try:
            with draft.open("xb") as file:
                yield _Draft(self, name, draft, file)
        finally:
            draft.unlink(missing_ok=True)

    def rename(self, old: str, new: str) -> None:
        """Renames; never overwrites."""
        try:
            os.link(self._path(old), self._path(new))
            self._path(old).unlink()
        except FileExistsError:
            entry = self.stat(new)
            raise AlreadyThere(entry or Entry(new, 0, 0.0)) from None
        except FileNotFoundError:
            raise Unstable(f"{old} is not in {self.url} any more") from None

    def remove(self, name: str) -> None:
        """Takes a file away."""
        self._path(name).unlink(missing_ok=True)

    def close(self) -> None:
        """Nothing is held open."""

    def _path(self, name: str) -> Path:
        if "/" in name or name in ("", ".", ".."):
            raise BadInput(f"{name!r} is no plain file name", fix="send a name without a folder")
        return self._folder / name

    @contextmanager
    def _opened(self, name: str):  # type: ignore[no-untyped-def]
        try:
            with self._path(name).open("rb") as file:
                yield file
        except FileNotFoundError:
            raise Unstable(f"{name} is not in {self.url} any more") from None


class _Draft:
    def __init__(self, folder: InboxFolder, name: str, draft: Path, file) -> None:  # type: ignore[no-untyped-def]
        self._folder, self._name, self._draft, self._file = folder, name, draft, file
        self._hash = hashlib.sha256()

    def write(self, data: bytes) -> None:
        """Adds to the file."""
        self._file.write(data)
        self._hash.update(data)

    def complete(self, sha256: str, replaces: str | None = None) -> Entry:
        """Puts the file under its name, on the disk for good."""
        if self._hash.hexdigest() != sha256:
            raise Unstable(f"{self._name} was not written as it was read")
        self._file.flush()
        os.fsync(self._file.fileno())
        target = self._draft.with_name(self._name)
        try:
            os.link(self._draft, target)
        except FileExistsError:
            raise AlreadyThere(self._folder.stat(self._name) or Entry(self._name, 0, 0.0)) from None
        folder = os.open(self._draft.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
        entry = self._folder.stat(self._name)
        assert entry is not None
        return entry


def _unreachable(url: str, error: OSError) -> Unreachable:
    return Unreachable(f"{url} cannot be read", detail=str(error), fix="check the disk that holds the staging")
