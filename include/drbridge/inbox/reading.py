"""Reading requests that may be too large, too slow, too deep, or of no kind that we take. Memory stays flat."""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message as AsgiMessage

from drbridge.errors import Interrupted
from drbridge.inbox.problems import Refused

SMALL_BYTES = 64 << 10

# Quantifiers that give nothing back: a text of megabytes costs no memory.
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a request may bring, how long it may take to arrive, and how long a caller may wait for a result."""

    message_bytes: int = 4 << 20
    file_bytes: int = 256 << 20
    levels: int = 32
    message_seconds: float = 30.0
    file_seconds: float = 300.0
    wait_seconds: float = 60.0


async def json_of(request: Request, limits: Limits) -> Any:
    """The JSON value a request carries.

    Raises:
        Refused: another content type (415), too large (413), too slow (408), no JSON or too deep (400).
    """
    _need(request, "application/json")
    body = bytearray()
    async with _in_time(limits.message_seconds):
        async for chunk in _limited(request, limits.message_bytes).stream():
            body += chunk
    return await parsed(bytes(body), limits)


@asynccontextmanager
async def form_of(request: Request, fields: int, limits: Limits) -> AsyncIterator[FormData]:
    """The parts a request carries; a file is kept on disk while it is read.

    Args:
        fields: how many parts that are no file it may have.

    Raises:
        Refused: another content type (415), too large (413), too slow (408), broken or too many parts (400).
        Interrupted: the disk has no room for the file.
    """
    _need(request, "multipart/form-data")
    stream = _limited(request, limits.file_bytes).stream()
    parser = MultiPartParser(
        request.headers, stream, max_files=1, max_fields=fields, max_part_size=limits.message_bytes
    )  # fmt: skip
    try:
        async with _in_time(limits.file_seconds):
            form = await parser.parse()
        yield form
    except MultiPartException as error:
        status = 413 if error.message.startswith("Part exceeded") else 400
        raise Refused(
            status, "The multipart/form-data is broken, or has more or larger parts than are taken: see /docs"
        ) from None
    except OSError as error:
        raise Interrupted(
            "A posted file cannot be kept", detail=str(error.strerror), fix="make room on /tmp"
        ) from error
    finally:
        for file in parser._files_to_close_on_error:  # a part that breaks off is in no form
            file.close()


def file_of(form: FormData) -> UploadFile:
    """The part `file`.

    Raises:
        Refused: it is not there.
    """
    file = form.get("file")
    if not isinstance(file, UploadFile):
        raise Refused(
            422, "There is no file: send it as multipart/form-data part 'file'",
            [{"field": "file", "code": "missing", "text": "the part is missing, or has no file name"}],
        )  # fmt: skip
    return file


async def parsed(body: bytes, limits: Limits) -> Any:
    """A JSON value as RFC 7493 has it: UTF-8, no member twice, no NaN, no half of a character; and not nested too deep.

    Raises:
        Refused: it is none.
    """
    if len(body) <= SMALL_BYTES:
        return _parsed(body, limits.levels)
    return await asyncio.to_thread(_parsed, body, limits.levels)


def _parsed(body: bytes, levels: int) -> Any:
    if _is_deeper(body, levels):
        raise Refused(400, f"The body is nested deeper than {levels} levels, which no message of ours is")
    try:
        value = json.loads(
            body.decode("utf-8-sig"), parse_constant=_no_number, parse_float=_finite, object_pairs_hook=_members
        )
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise Refused(
            400, "The body is not JSON: send an object in UTF-8, no member twice, no NaN, no half of a character"
        ) from None
    return value


def _no_number(name: str) -> None:
    raise ValueError(name)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("too large a number")
    return number


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member twice")
    return found


def _is_deeper(body: bytes, levels: int) -> bool:
    if body.count(b"[") + body.count(b"{") <= levels:
        return False
    depth = 0
    for token in _TOKEN.finditer(body):
        first = token[0][:1]
        depth += (first in b"[{") - (first in b"]}")
        if depth > levels:
            return True
    return False


def _need(request: Request, media_type: str) -> None:
    given = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if given != media_type:
        raise Refused(415, f"Another content type is needed: send {media_type}", headers={"Accept": media_type})
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise Refused(415, "Packed bodies are not taken: send it unpacked", headers={"Accept-Encoding": "identity"})


def _limited(request: Request, largest: int) -> Request:
    """The request, cut off once it has brought more than so many bytes."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > largest:
        raise _too_large(largest)
    seen = 0

    async def receive() -> AsgiMessage:
        nonlocal seen
        message = await request.receive()
        seen += len(message.get("body", b""))
        if seen > largest:
            raise _too_large(largest)
        return message

    return Request(request.scope, receive)


def _too_large(largest: int) -> Refused:
    return Refused(413, f"The request is larger than {largest} bytes", headers={"Connection": "close"})


@asynccontextmanager
async def _in_time(seconds: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        late = f"The request did not come to its end within {seconds:.0f} s"
        raise Refused(408, late, headers={"Connection": "close"}) from None
    except ClientDisconnect:
        raise Refused(400, "The caller hung up in the middle of the request") from None
