"""Hashing a file on the way, without waiting for it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from drbridge.errors import UnreadableFile

WORTH_A_THREAD_BYTES = 64 << 10


class Hashed:
    """The chunks of a file, hashed on the way by a thread of its own, and counted."""

    def __init__(self, chunks: Iterator[bytes], max_bytes: int, worker: ThreadPoolExecutor) -> None:
        self._chunks, self._max_bytes, self._worker = chunks, max_bytes, worker
        self._sha = hashlib.sha256()
        self._last: Future[None] | None = None
        self.size = 0

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self._note(chunk)
            if self.size > self._max_bytes:
                raise UnreadableFile(
                    f"The file is larger than {self._max_bytes:,} bytes",
                    fix="send it in smaller files, or raise max_file_bytes in systems.toml",
                    code="too_large",
                )
            yield chunk

    def drain(self) -> str:
        """Reads on to the end and says the sha256 of everything."""
        for chunk in self._chunks:
            self._note(chunk)
        if self._last is not None:
            self._last.result()
        return self._sha.hexdigest()

    def _note(self, chunk: bytes) -> None:
        self.size += len(chunk)
        if self._last is not None:
            self._last.result()
            self._last = None
        if len(chunk) < WORTH_A_THREAD_BYTES:
            self._sha.update(chunk)
        else:
            self._last = self._worker.submit(self._sha.update, chunk)
