"""Answers that are spoiled on their way out, and lists that are cut on their way in, as the fault dial says."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.types import Message, Receive, Send

from drbridge_sandbox.rest.faults import Fault, FaultName

AS_GZIP = 31
MEGABYTE = 1 << 20


@dataclass
class Kept:
    """An answer that has not gone out yet."""

    status: int = 500
    headers: dict[bytes, bytes] = field(default_factory=dict)
    body: bytes = b""

    async def take(self, message: Message) -> None:
        """Takes a part of it, in place of the line."""
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], dict(message["headers"])
        else:
            self.body += message.get("body", b"")

    def change(self, body: bytes, **headers: bytes) -> None:
        """Puts another body in the place of its own."""
        more = {name.replace("_", "-").encode(): value for name, value in headers.items()}
        self.body = body
        self.headers |= more | {b"content-length": str(len(body)).encode()}

    def raw(self, off_by: int) -> bytes:
        """It as it goes over the wire, with a length that is wrong by so many bytes."""
        self.headers[b"content-length"] = str(len(self.body) + off_by).encode()
        lines = [b"HTTP/1.1 %d Spoiled" % self.status, *(b"%s: %s" % each for each in self.headers.items()), b"", b""]
        return b"\r\n".join(lines) + self.body

    async def give(self, send: Send, pause: float | None = None) -> None:
        """Sends it, whole or byte by byte with a pause of so many seconds after each."""
        await send({"type": "http.response.start", "status": self.status, "headers": list(self.headers.items())})
        if pause is not None:
            for place in range(len(self.body)):
                await send({"type": "http.response.body", "body": self.body[place : place + 1], "more_body": True})
                await asyncio.sleep(pause)
        await send({"type": "http.response.body", "body": b"" if pause is not None else self.body})


def _bomb(kept: Kept, fault: Fault) -> None:
    packer, zeros = zlib.compressobj(9, zlib.DEFLATED, AS_GZIP), bytes(MEGABYTE)
    body = b"".join(packer.compress(zeros) for _ in range(fault.megabytes)) + packer.flush()
    kept.change(body, content_encoding=b"gzip")


def _shuffle(kept: Kept, _fault: Fault) -> None:
    kept.change(json.dumps(_with_lists(json.loads(kept.body), lambda items: items[::-1])).encode())


def _forget_items(kept: Kept, _fault: Fault) -> None:
    kept.change(json.dumps(_with_lists(json.loads(kept.body), lambda items: items[1::2])).encode())


SPOIL: dict[FaultName, Callable[[Kept, Fault], None]] = {
    "bomb": _bomb,
    "shuffle": _shuffle,
    "forget_items": _forget_items,
}


def half_of(receive: Receive) -> Receive:
    """A request whose lists have only the first half of their items."""

    async def first_half() -> Message:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        halved = _with_lists(json.loads(body), lambda items: items[: len(items) // 2])
        return {"type": "http.request", "body": json.dumps(halved).encode(), "more_body": False}

    return first_half


def _with_lists(value: Any, change: Callable[[list[Any]], list[Any]]) -> Any:
    if isinstance(value, dict):
        return {name: _with_lists(each, change) for name, each in value.items()}
    return change(value) if isinstance(value, list) else value
