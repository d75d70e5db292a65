"""A TCP proxy that breaks lines on purpose, between us and any server.

    with proxied("127.0.0.1", port, Fault(down=Cut("rst", after=1024))) as proxy:
        connect_to(proxy.port)
        assert proxy.cuts == 1
        proxy.fault = Fault()          # from now on nothing is wrong; what stalled stays silent

Up is what the client sends, down is what the server answers.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal

from drbridge.loop import LoopThread
from drbridge_sandbox.children import free_ports

Way = Literal["up", "down"]
How = Literal["rst", "fin", "stall"]
WAYS: tuple[Way, ...] = ("up", "down")
CHUNK_BYTES = 64 << 10
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class Cut:
    """A cut of the connection that carries one byte too many.

    Attributes:
        how: `rst`: both ends are reset; `fin`: both ends see the other close in good order; `stall`: nothing more goes
            this way, and nobody is told.
        after: bytes that still go this way, counted over all connections since the fault was set or last struck.
        times: how many connections are cut; those that come later are left alone.
        lasts: new connections are refused afterwards, until the fault is set anew.
    """

    how: How
    after: int = 0
    times: int = 1
    lasts: bool = False


@dataclass(frozen=True)
class Fault:
    """What is wrong with the line; as it stands: nothing.

    Attributes:
        up, down: cuts of what goes each way.
        delay: seconds by which every chunk comes late, each way.
        refuses: new connections are refused.
        blackhole: new connections are taken, what comes is read, and nothing ever answers.
    """

    up: Cut | None = None
    down: Cut | None = None
    delay: float = 0.0
    refuses: bool = False
    blackhole: bool = False


@dataclass(eq=False)
class _Line:
    """One connection of a client and, unless it ends in the dark, ours to the server."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter | None = None
    is_finished: bool = False
    is_over: asyncio.Event = field(default_factory=asyncio.Event)

    def ends(self) -> list[asyncio.StreamWriter]:
        return [self.client] if self.server is None else [self.client, self.server]

    def reset(self) -> None:
        for end in self.ends():
            sock: socket.socket = end.get_extra_info("socket")
            with suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            end.transport.abort()
        self.is_over.set()

    def finish(self) -> None:
        self.is_finished = True
        for end in self.ends():
            with suppress(OSError):
                end.write_eof()


class Proxy:
    """Stands before a server.

    Attributes:
        port: where it listens, on 127.0.0.1.
        connections: how many it took so far.
        cuts: how many of them it cut since the fault was set.
        passed: bytes that went each way since the fault was set.
    """

    def __init__(self, host: str, port: int, fault: Fault) -> None:
        self.port, self.connections, self.cuts = free_ports(1)[0], 0, 0
        self.passed: dict[Way, int] = {"up": 0, "down": 0}
        self._there, self._fault = (host, port), fault
        self._since_cut: dict[Way, int] = {"up": 0, "down": 0}
        self._times: dict[Way, int] = {"up": 0, "down": 0}
        self._lines: set[_Line] = set()
        self._listener: asyncio.Server | None = None
        self._runner = LoopThread("proxy", asyncio.new_event_loop)  # uvloop closes a line before it can be reset
        self._runner.run(self._set(fault))

    @property
    def fault(self) -> Fault:
        """What is wrong at present; setting it counts afresh, and holds for connections that are open too."""
        return self._fault

    @fault.setter
    def fault(self, fault: Fault) -> None:
        self._runner.run(self._set(fault))

    def drop(self) -> None:
        """Resets every open connection, those that stall among them."""
        self._runner.run(self._drop())

    def close(self) -> None:
        self._runner.run(self._set(Fault(refuses=True)))
        self.drop()
        self._runner.close()

    async def _set(self, fault: Fault) -> None:
        self._fault, self.cuts = fault, 0
        for way in WAYS:
            self.passed[way] = self._since_cut[way] = self._times[way] = 0
        if fault.refuses:
            self._refuse()
        elif self._listener is None:
            self._listener = await asyncio.start_server(self._take, "127.0.0.1", self.port)

    def _refuse(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    async def _drop(self) -> None:
        while self._lines:
            for line in list(self._lines):
                line.reset()
            await asyncio.sleep(0.001)

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._lines.add(line := _Line(writer))
        try:
            if self._fault.blackhole:
                while await reader.read(CHUNK_BYTES):
                    pass
                return
            back, line.server = await asyncio.open_connection(*self._there)
            await asyncio.gather(self._pump("up", reader, line.server, line), self._pump("down", back, writer, line))
        except OSError:
            line.reset()
        finally:
            for end in line.ends():
                end.close()
            self._lines.discard(line)

    async def _pump(self, way: Way, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, line: _Line) -> None:
        writer.transport.set_write_buffer_limits(0)
        while chunk := await reader.read(CHUNK_BYTES):
            if self._fault.delay:
                await asyncio.sleep(self._fault.delay)
            if line.is_finished:
                continue
            cut: Cut | None = getattr(self._fault, way)
            room = len(chunk) if cut is None or self._times[way] >= cut.times else cut.after - self._since_cut[way]
            writer.write(chunk[:room])
            self.passed[way] += min(room, len(chunk))
            self._since_cut[way] += min(room, len(chunk))
            await writer.drain()
            if cut is not None and room < len(chunk):
                return await self._strike(way, cut, reader, line)
        with suppress(OSError):
            writer.write_eof()

    async def _strike(self, way: Way, cut: Cut, reader: asyncio.StreamReader, line: _Line) -> None:
        self.cuts += 1
        self._times[way] += 1
        self._since_cut[way] = 0
        if cut.lasts:
            self._refuse()
        if cut.how == "stall":
            await line.is_over.wait()
        elif cut.how == "rst":
            line.reset()
        else:
            line.finish()
            while await reader.read(CHUNK_BYTES):
                pass


@contextmanager
def proxied(host: str, port: int, fault: Fault = Fault()) -> Iterator[Proxy]:
    """A proxy before a server, until the block ends; it then resets what is still open."""
    proxy = Proxy(host, port, fault)
    try:
        yield proxy
    finally:
        proxy.close()
