"""What every service shares: who may come in, what is remembered, what the fault dial does to an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from hashlib import sha256
from typing import Any, BinaryIO

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.types import Scope

from drbridge_sandbox.rest.answers import Answer, Refused
from drbridge_sandbox.rest.auth import Doorman
from drbridge_sandbox.rest.faults import Dial, Fault
from drbridge_sandbox.rest.memory import Heard, Memory, Tx
from drbridge_sandbox.rest.records import Records

MOST_JSON_BYTES = 10 << 20
MOST_FILE_BYTES = 1 << 30
STATE = "drbridge_sandbox"

JsonAct = Callable[[Tx, bytes, frozenset[str]], Answer]
FileAct = Callable[[Tx, BinaryIO, frozenset[str]], Answer]


class Hall:
    """One service: its app, its doorman, its memory and its fault dial."""

    def __init__(self, name: str, doorman: Doorman, memory: Memory) -> None:
        self.name, self.doorman, self.memory, self.dial = name, doorman, memory, Dial()
        self.app = FastAPI(title=f"{name} (sandbox)", docs_url="/docs", redoc_url=None)
        self.app.add_exception_handler(Refused, _refuse)
        self.app.add_exception_handler(HTTPException, _refuse_http)

    async def take_json(self, request: Request, operation: str, act: JsonAct) -> Response:
        """Handles a request with a JSON body."""
        self.doorman.admit(request.headers.get("authorization"))
        _wants(request, "application/json")
        body = await request.body()
        if len(body) > MOST_JSON_BYTES:
            raise Refused(413, f"The body is larger than {MOST_JSON_BYTES} bytes")
        heard = _heard(request, operation, sha256(body).hexdigest(), len(body))
        return await self._handle(request, heard, lambda tx: act(tx, body, refused_keys(request.scope)))

    def take_json_at(self, path: str, operation: str, act: JsonAct) -> None:
        """Adds a service that takes POST requests with a JSON body."""

        @self.app.post(path)
        async def take(request: Request) -> Response:
            return await self.take_json(request, operation, act)

    def take_file_at(self, path: str, operation: str, act: FileAct) -> None:
        """Adds a service that takes POST requests with a file."""

        @self.app.post(path)
        async def take(request: Request) -> Response:
            return await self.take_file(request, operation, act)

    async def look(self, request: Request, find: Callable[[Records], Any]) -> Response:
        """Answers a question about what the service keeps."""
        self.doorman.admit(request.headers.get("authorization"))
        loop = asyncio.get_running_loop()
        return JSONResponse(await loop.run_in_executor(self.memory.worker, find, self.memory.records))

    async def take_file(self, request: Request, operation: str, act: FileAct) -> Response:
        """Handles a file attached as multipart/form-data part `file`; it lies on disk while it is read."""
        self.doorman.admit(request.headers.get("authorization"))
        _wants(request, "multipart/form-data")
        if int(request.headers.get("content-length", "0")) > MOST_FILE_BYTES + 65_536:
            raise Refused(413, f"The attachment is larger than {MOST_FILE_BYTES} bytes")
        async with request.form(max_files=2, max_fields=2) as form:
            parts = form.multi_items()
            if len(parts) != 1 or parts[0][0] != "file" or not isinstance(parts[0][1], UploadFile):
                raise Refused(400, "Exactly one part called `file` with a file name is expected")
            upload = parts[0][1]
            if (upload.size or 0) > MOST_FILE_BYTES:
                raise Refused(413, f"The attachment is larger than {MOST_FILE_BYTES} bytes")
            digest = await asyncio.to_thread(_digest, upload.file)
            heard = _heard(request, operation, digest, upload.size or 0, upload.filename or "")
            return await self._handle(request, heard, lambda tx: act(tx, upload.file, refused_keys(request.scope)))

    async def _handle(self, request: Request, heard: Heard, act: Callable[[Tx], Answer]) -> Response:
        loop = asyncio.get_running_loop()
        answer = await loop.run_in_executor(self.memory.worker, self.memory.handle, heard, act)
        request.scope[STATE]["noted"] = True
        return JSONResponse(answer.body, answer.status, headers=dict(answer.headers))


def faults_of(scope: Scope) -> list[Fault]:
    """The faults that hit this request."""
    found: list[Fault] = scope[STATE]["faults"]
    return found


def refused_keys(scope: Scope) -> frozenset[str]:
    """Business keys the dial has the service refuse."""
    return frozenset().union(*(fault.keys for fault in faults_of(scope) if fault.name == "reject_keys"))


def is_late(scope: Scope) -> bool:
    """Whether the dial has the service keep its verdict for later."""
    return any(fault.name == "late" for fault in faults_of(scope))


def _wants(request: Request, media_type: str) -> None:
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given != media_type:
        raise Refused(415, f"The content type must be {media_type}")


def _heard(request: Request, operation: str, digest: str, size: int, file_name: str = "") -> Heard:
    fault = ",".join(fault.name for fault in faults_of(request.scope))
    key = request.headers.get("idempotency-key")
    return Heard(request.method, request.url.path, operation, key, digest, size, file_name, fault)


def _digest(file: BinaryIO) -> str:
    digest = sha256()
    while chunk := file.read(1 << 20):
        digest.update(chunk)
    file.seek(0)
    return digest.hexdigest()


def _refuse(request: Request, error: Exception) -> Response:
    del request
    assert isinstance(error, Refused)
    return JSONResponse(error.answer.body, error.status, headers=dict(error.headers))


def _refuse_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _refuse(request, Refused(error.status_code, str(error.detail), headers=error.headers))
