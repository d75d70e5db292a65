"""A REST target that answers every request the same, after a given time: what sending costs is then the sender's.

    python bench/target.py 0.020

Prints its port. GET /told says how many requests it answered, how many rows they had, and when the first came.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import cast

import uvloop

HEAD_ENDS = b"\r\n\r\n"
YES = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n{"status":"OK"}'


class Told:
    """What came so far."""

    calls = 0
    rows = 0
    first = last = 0.0


class Line(asyncio.Protocol):
    """One connection; its requests are answered in order."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.rest = seconds, b""
        self.loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.rest += data
        while (end := self.rest.find(HEAD_ENDS)) >= 0:
            head = self.rest[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self.rest) < end + 4 + length:
                return
            body, self.rest = self.rest[end + 4 : end + 4 + length], self.rest[end + 4 + length :]
            self.answer(head, body)

    def answer(self, head: bytes, body: bytes) -> None:
        if head.startswith(b"get /told"):
            told = json.dumps({"calls": Told.calls, "rows": Told.rows, "seconds": Told.last - Told.first}).encode()
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(told), told))
            Told.calls = Told.rows = 0
            Told.first = 0.0
            return
        Told.calls += 1
        Told.rows += max(1, body.count(b'"nicId"'))
        Told.first = Told.first or time.monotonic()
        Told.last = time.monotonic()
        if self.seconds:
            self.loop.call_later(self.seconds, self.transport.write, YES)
        else:
            self.transport.write(YES)


async def main() -> None:
    seconds = float(sys.argv[1])
    server = await asyncio.get_running_loop().create_server(lambda: Line(seconds), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
