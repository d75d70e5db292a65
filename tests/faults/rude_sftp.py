"""A content server that does something to a file at a chosen moment of somebody's reading it.

What happens is planned on the server's `Rudeness`: a moment, a file, an act. Each act happens once.

    rude.when(READ, "outgoing/scores/a.csv", cut_to(100), byte=50_000)
"""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from weakref import WeakSet

from asyncssh.sftp import SFTPAttrs, SFTPName, SFTPServer

from drbridge.ports import Connection
from tests.stores import rude

Act = Callable[[Path], None]
Moment = Literal["listed", "opened", "measured", "read"]
LISTED: Moment = "listed"
"""The folder was listed: between list and open."""
OPENED: Moment = "opened"
"""The file was opened for the first time, for a look at its ends: between two looks."""
MEASURED: Moment = "measured"
"""The open file was measured (fstat): between fstat and read."""
READ: Moment = "read"
"""A byte of a file that was measured is about to be read."""


@dataclass
class Rudeness:
    """What the server has in mind, and what it has done.

    Attributes:
        full: whether the disk has no room for one byte more.
    """

    root: Path
    full: bool = False
    done: list[tuple[Moment, str]] = field(default_factory=list)
    _planned: list[tuple[Moment, Path, Act, int]] = field(default_factory=list)

    def when(self, moment: Moment, path: str, act: Act, byte: int = 0) -> None:
        """Plans an act on a file; `byte` is where a reading has to come to."""
        self._planned.append((moment, self.root / path, act, byte))

    def reached(self, moment: Moment, path: Path, byte: int = 0) -> None:
        """Does what is planned for this moment."""
        due = [each for each in self._planned if _is_due(each, moment, path, byte)]
        for each in due:
            self._planned.remove(each)
            each[2](each[1])
            self.done.append((moment, each[1].name))


def _is_due(planned: tuple[Moment, Path, Act, int], moment: Moment, path: Path, byte: int) -> bool:
    there = planned[1].parent if moment == LISTED else planned[1]
    return planned[0] == moment and there == path and planned[3] <= byte


class RudeDisk(SFTPServer):
    """Serves a folder and tells its rudeness how far everybody has come."""

    rudeness: Rudeness

    def __init__(self, channel: Any, chroot: bytes) -> None:
        super().__init__(channel, chroot=chroot)
        self._measured: WeakSet[Any] = WeakSet()

    async def scandir(self, path: bytes) -> AsyncIterator[SFTPName]:
        async for name in super().scandir(path):
            yield name
        self.rudeness.reached(LISTED, Path(os.fsdecode(self.map_path(path))))

    def open(self, path: bytes, pflags: int, attrs: SFTPAttrs) -> object:
        file = super().open(path, pflags, attrs)
        self.rudeness.reached(OPENED, _path_of(file))
        return file

    def fstat(self, file_obj: object) -> Any:
        seen = super().fstat(file_obj)
        self._measured.add(file_obj)
        self.rudeness.reached(MEASURED, _path_of(file_obj))
        return seen

    def read(self, file_obj: object, offset: int, size: int) -> Any:
        if file_obj in self._measured:
            self.rudeness.reached(READ, _path_of(file_obj), offset + size)
        return super().read(file_obj, offset, size)

    def write(self, file_obj: object, offset: int, data: bytes) -> Any:
        if self.rudeness.full:
            raise OSError(28, "No space left on device")
        return super().write(file_obj, offset, data)


def _path_of(file: Any) -> Path:
    return Path(os.fsdecode(file.name))


@contextmanager
def serving(root: Path) -> Iterator[tuple[Connection, Rudeness]]:
    """Runs such a server over a folder; gives the connection to it, and its rudeness."""
    rudeness = Rudeness(root)
    disk = type("PlannedDisk", (RudeDisk,), {"rudeness": rudeness})
    with rude.sftp(root, disk) as (connection, _):
        yield connection, rudeness


def cut_to(size: int) -> Act:
    """The file loses everything after so many bytes."""
    return lambda path: os.truncate(path, size)


def grown_by(data: bytes) -> Act:
    """The sender goes on writing."""

    def act(path: Path) -> None:
        with path.open("ab") as file:
            file.write(data)

    return act


def rotated(new: bytes) -> Act:
    """The file is put aside as `old-<name>`, and another one begun under its name."""

    def act(path: Path) -> None:
        path.rename(path.with_name(f"old-{path.name}"))
        path.write_bytes(new)

    return act


def rewritten(new: bytes) -> Act:
    """Other bytes in the same file, which keeps its time."""

    def act(path: Path) -> None:
        before = path.stat()
        path.write_bytes(new)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    return act


def renamed_to(name: str) -> Act:
    """The file has another name."""
    return lambda path: _ignored(path.rename(path.with_name(name)))


def gone(path: Path) -> None:
    """The file is not there any more."""
    path.unlink()


def slow(seconds: float) -> Act:
    """The server takes its time."""
    return lambda _: time.sleep(seconds)


def _ignored(_: object) -> None:
    pass
