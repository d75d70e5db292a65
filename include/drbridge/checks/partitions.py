"""Notes about all rows of a file that wait on disk, those about one thing in one place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

PARTITIONS = 64


class Partitions:
    """Entries in 64 files, shared out by their field `high`, a hash of what they are about."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files: list[IO[bytes]] = []

    def write(self, entries: npt.NDArray[Any]) -> None:
        """Adds entries, each to the file of what it is about."""
        part = (entries["high"] >> np.uint64(58)).astype(np.uint8)
        entries = entries[np.argsort(part, kind="stable")]
        bounds = np.concatenate(([0], np.cumsum(np.bincount(part, minlength=PARTITIONS))))
        for number, file in enumerate(self._opened()):
            file.write(entries[bounds[number] : bounds[number + 1]].tobytes())

    def _opened(self) -> list[IO[bytes]]:
        if not self._files:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._files = [(self.folder / f"{number:02d}").open("wb") for number in range(PARTITIONS)]
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
