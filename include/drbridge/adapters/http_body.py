"""What a request carries: JSON, or a file streamed as the part `file` of a multipart form."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

from drbridge.errors import Interrupted
from drbridge.ports import Call, FilePart


@dataclass(frozen=True)
class Body:
    """The body of one request; `content` is made afresh for each send."""

    size: int
    headers: dict[str, str]
    content: bytes | AsyncIterator[bytes] | None


def body_of(call: Call) -> Body:
    """Builds the body with its exact length."""
    if call.file is not None:
        return _multipart(call.file)
    if call.json is not None:
        return Body(len(call.content), {"Content-Type": "application/json"}, call.content)
    return Body(0, {}, None)


def _multipart(part: FilePart) -> Body:
    boundary = f"drbridge-{secrets.token_hex(16)}"
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{_quoted(part.name)}"\r\n'
        f"Content-Type: {part.content_type}\r\n\r\n"
    ).encode()
    tail = f"\r\n--{boundary}--\r\n".encode()
    size = len(head) + part.size + len(tail)
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}", "Content-Length": str(size)}
    return Body(size, headers, _stream(part, head, tail))


def _quoted(name: str) -> str:
    """The name as browsers send it: it cannot end its quotes or its line."""
    return name.replace("%", "%25").replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


async def _stream(part: FilePart, head: bytes, tail: bytes) -> AsyncIterator[bytes]:
    """Gives the parts in order; the bytes are read on a thread, so that other calls go on meanwhile."""
    yield head
    chunks, count = part.content(), 0
    while (chunk := await asyncio.to_thread(_next, chunks)) is not None:
        count += len(chunk)
        if count > part.size:
            break
        yield chunk
    if count != part.size:
        raise Interrupted(f"{part.name} is not {part.size} bytes long", fix="stage the file again")
    yield tail


def _next(chunks: Iterator[bytes]) -> bytes | None:
    return next(chunks, None)
