"""Notes about all rows of a file that wait on disk, those about one thing in one place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

PARTITIONS = 64
BUFFER_BYTES = 64 << 10


@dataclass(frozen=True)
class Entries:
    """Entries sorted by the file they go to; those of file n lie from `bounds[n]` up to `bounds[n + 1]`."""

    rows: npt.NDArray[Any]
    bounds: npt.NDArray[np.int64]


def by_partition(entries: npt.NDArray[Any]) -> Entries:
    """Shares entries out by their field `high`, a hash of what they are about."""
    part = (entries["high"] >> np.uint64(58)).astype(np.uint8)
    bounds = np.concatenate(([0], np.cumsum(np.bincount(part, minlength=PARTITIONS))))
    return Entries(entries[np.argsort(part, kind="stable")], bounds)


class Partitions:
    """Entries in 64 files, those about one thing in one file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files: list[IO[bytes]] = []

    def write(self, entries: Entries) -> None:
        """Adds entries, each to the file of what it is about."""
        data, bounds = entries.rows.view(np.uint8).data, entries.bounds * entries.rows.itemsize
        for number, file in enumerate(self._opened()):
            file.write(data[bounds[number] : bounds[number + 1]])

    def _opened(self) -> list[IO[bytes]]:
        if not self._files:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._files = [(self.folder / f"{number:02d}").open("wb", BUFFER_BYTES) for number in range(PARTITIONS)]
        return self._files

    def paths(self) -> Iterator[Path]:
        """The files, written out to their ends."""
        for file in self._files:
            file.flush()
            yield Path(file.name)

    def close(self) -> None:
        """Removes what waits on disk; what a full disk had no room for is not wanted any more."""
        for file in self._files:
            with suppress(OSError):
                file.close()
            Path(file.name).unlink(missing_ok=True)
        self._files = []
