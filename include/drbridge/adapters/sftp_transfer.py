"""Moving bytes over SFTP with many requests in flight, in flat memory.

SFTP carries at most 255 KiB or so per request. One request at a time would wait a round trip for each; here dozens
are under way, and the thread that uses the bytes and the thread that moves them work at the same time.

Files are opened with `block_size=0`, so that each read and write of the library is one request: its own way of
splitting them costs tasks and copies.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from itertools import islice

from asyncssh.sftp import SFTPClientFile

from drbridge.errors import DrBridgeError, Unreachable
from drbridge.loop import LoopThread
from drbridge.spans import Spans

CHUNK_BYTES = 8 << 20
IN_FLIGHT_BYTES = 16 << 20
HELD_BYTES = 20 << 20  # under way, or gathered for a chunk
CHUNKS_AHEAD = 1
STALL_SECONDS = 60.0
_SAFE_BLOCK_BYTES = 16 << 10
_MOST_REQUESTS = 256


def _blocks(limit: int) -> tuple[int, int]:
    """How large one request may be, and how many of them may be under way."""
    size = limit or _SAFE_BLOCK_BYTES
    return size, max(1, min(_MOST_REQUESTS, IN_FLIGHT_BYTES // size))


def _as_bytes(data: str | bytes) -> bytes:
    """What the library gives for a file opened in binary: bytes, though its types leave it open."""
    assert isinstance(data, bytes)
    return data


async def read_at(file: SFTPClientFile, offset: int, length: int) -> bytes:
    """Reads so many bytes, or up to the end; a server may answer with less, so it is asked for the rest."""
    parts: list[bytes] = []
    while length > 0:
        part = _as_bytes(await file.read(length, offset))
        if not part:
            break
        parts.append(part)
        offset, length = offset + len(part), length - len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


class ReadAhead:
    """Reads some spans of a file, ahead of whoever iterates over it.

    Fewer bytes come when the file ends before; who iterates must compare.
    """

    def __init__(self, runner: LoopThread, file: SFTPClientFile, spans: Spans, block: int) -> None:
        self._runner, self._file, self._spans = runner, file, spans
        self._block, self._most = _blocks(block)
        self._ready: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._room = asyncio.Semaphore(CHUNKS_AHEAD)
        self._task: Future[None] = asyncio.run_coroutine_threadsafe(self._fetch(), runner.loop)
        self._task.add_done_callback(lambda _: self._ready.put(None))

    async def _fetch(self) -> None:
        requests, pending, parts, gathered = self._requests(), deque[asyncio.Task[bytes]](), list[bytes](), 0
        try:
            while True:
                for request in islice(requests, self._most_now(gathered) - len(pending)):
                    pending.append(asyncio.ensure_future(self._read(*request)))
                if not pending:
                    break
                length = len(piece := await pending.popleft())
                parts.append(piece)
                gathered += length
                if gathered >= CHUNK_BYTES or not pending:
                    await self._room.acquire()
                    self._ready.put(b"".join(parts))
                    parts, gathered = [], 0
        finally:
            for task in pending:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)

    def _most_now(self, gathered: int) -> int:
        """How many requests may be under way beside what is gathered for a chunk."""
        return max(1, min(self._most, (HELD_BYTES - gathered) // self._block))

    def _requests(self) -> Iterator[tuple[int, int]]:
        """Where each request starts and how much it asks for; they fill up chunks."""
        for offset, end in self._spans:
            while offset < end:
                length = min(self._block, end - offset, CHUNK_BYTES - offset % CHUNK_BYTES)
                yield offset, length
                offset += length

    async def _read(self, offset: int, length: int) -> bytes:
        async with asyncio.timeout(STALL_SECONDS):
            return await read_at(self._file, offset, length)

    def __iter__(self) -> Iterator[bytes]:
        while (chunk := self._ready.get()) is not None:
            self._runner.loop.call_soon_threadsafe(self._room.release)
            yield chunk
        self._task.result()

    def stop(self) -> None:
        self._task.cancel()


class WriteBehind:
    """Writes a file behind whoever gives the bytes; the first failure is told at the next write."""

    def __init__(self, runner: LoopThread, file: SFTPClientFile, block: int) -> None:
        self._runner, self.file = runner, file
        self._block, self._most = _blocks(block)
        self._free = threading.Semaphore(self._most)
        self._tasks: set[asyncio.Task[int]] = set()
        self._error: BaseException | None = None
        self.written = 0

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        for start in range(0, len(view), self._block):
            block = bytes(view[start : start + self._block])
            self._take_room()
            self._runner.loop.call_soon_threadsafe(self._begin, block, self.written)
            self.written += len(block)

    def drain(self) -> None:
        """Returns when every byte is confirmed."""
        for _ in range(self._most):
            self._take_room()
        for _ in range(self._most):
            self._free.release()

    def _take_room(self) -> None:
        if not self._free.acquire(timeout=STALL_SECONDS):
            raise Unreachable("The content server takes no more bytes", detail=f"stalled for {STALL_SECONDS:.0f} s")
        if self._error is not None:
            self._free.release()
            raise self._error

    def _begin(self, block: bytes, offset: int) -> None:
        task = asyncio.ensure_future(self.file.write(block, offset))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[int]) -> None:
        self._tasks.discard(task)
        if self._error is None:
            self._error = DrBridgeError("cancelled") if task.cancelled() else task.exception()
        self._free.release()

    def stop(self) -> None:
        """Gives up what is under way."""
        self._runner.run(self._cancel())

    async def _cancel(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
