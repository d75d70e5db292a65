"""Reading requests that may be too large, too slow, too deep, or of no kind that we take. Memory stays flat."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message as AsgiMessage

from drbridge.inbox.problems import Refused

LARGEST_MESSAGE_BYTES = 4 << 20
LARGEST_FILE_BYTES = 256 << 20
DEEPEST = 32
SECONDS_FOR_A_MESSAGE = 30.0
SECONDS_FOR_A_FILE = 300.0

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"?|[\[\]{}]', re.DOTALL)


async def json_of(request: Request) -> Any:
    """The JSON value a request carries.

    Raises:
        Refused: another content type (415), too large (413), too slow (408), no JSON or too deep (400).
    """
    _need(request, "application/json")
    body = bytearray()
    async with _in_time(SECONDS_FOR_A_MESSAGE):
        async for chunk in _limited(request, LARGEST_MESSAGE_BYTES).stream():
            body += chunk
    return parsed(bytes(body))


@asynccontextmanager
async def form_of(request: Request, fields: int) -> AsyncIterator[FormData]:
    """The parts a request carries; a file is kept on disk while it is read.

    Args:
        fields: how many parts that are no file it may have.

    Raises:
        Refused: another content type (415), too large or too many parts (413), too slow (408), broken (400).
    """
    _need(request, "multipart/form-data")
    limited = _limited(request, LARGEST_FILE_BYTES)
    try:
        async with _in_time(SECONDS_FOR_A_FILE):
            form = await limited.form(max_files=1, max_fields=fields, max_part_size=LARGEST_MESSAGE_BYTES)
    except (HTTPException, MultiPartException) as error:
        detail = str(getattr(error, "detail", error))
        too_much = detail.startswith(("Too many", "Part exceeded", "Field exceeded"))
        raise Refused(413 if too_much else 400, f"The parts of the request cannot be read: {detail}") from None
    try:
        yield form
    finally:
        await form.close()


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


def parsed(body: bytes) -> Any:
    """A JSON value, not nested too deep; NaN and infinities are no JSON.

    Raises:
        Refused: it is none.
    """
    _need_shallow(body)
    try:
        return json.loads(body, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise Refused(400, "The body is not JSON: send a JSON object in UTF-8") from None


def _no_number(name: str) -> None:
    raise ValueError(name)


def _need_shallow(body: bytes) -> None:
    depth = 0
    for token in _TOKEN.finditer(body):
        first = token[0][:1]
        depth += (first in b"[{") - (first in b"]}")
        if depth > DEEPEST:
            raise Refused(400, f"The body is nested deeper than {DEEPEST} levels, which no message of ours is")


def _need(request: Request, media_type: str) -> None:
    given = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if given != media_type:
        raise Refused(415, f"This content type is not taken here: send {media_type}", headers={"Accept": media_type})


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
