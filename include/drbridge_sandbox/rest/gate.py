"""The way in and out of a service: keeps its port, and does to requests and answers what the fault dial says."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import MutableMapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import uvicorn
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import Message, Receive, Scope, Send
from uvicorn.server import ServerState

from drbridge_sandbox.rest.faults import Fault, FaultName
from drbridge_sandbox.rest.hall import STATE, Hall
from drbridge_sandbox.rest.memory import Heard
from drbridge_sandbox.rest.spoiled import SPOIL, Kept, half_of

HOST = "127.0.0.1"
CHANGED_AFTER = {"drop_after", "error_after", "partly", "drip", "wrong_length", *SPOIL}
PAGE = "<!DOCTYPE html><html><body><h1>Scheduled maintenance</h1><p>We are back soon.</p></body></html>"


class Gate:
    """The network side of a service.

    While it is down its port refuses connections, and stays ours: nothing else can take it meanwhile.
    """

    def __init__(self, hall: Hall, port: int) -> None:
        self.hall, self.port = hall, port
        config = uvicorn.Config(self, lifespan="off", log_config=None, access_log=False, ws="none")
        config.load()
        self._config, self._state = config, ServerState()
        self._server: asyncio.Server | None = None
        self._placeholder: socket.socket | None = None

    @property
    def is_up(self) -> bool:
        return self._server is not None

    async def up(self) -> None:
        """Takes connections again."""
        if self._server is not None:
            return
        if self._placeholder:
            self._placeholder.close()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._protocol, sock=_bound(self.port), backlog=1024)

    async def down(self) -> None:
        """Refuses connections and cuts those that are open."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        self._placeholder = _bound(self.port)
        for connection in list(self._state.connections):
            connection.transport.abort()

    def _protocol(self) -> asyncio.Protocol:
        kind: Any = self._config.http_protocol_class
        protocol: asyncio.Protocol = kind(config=self._config, server_state=self._state, app_state={})
        return protocol

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request."""
        faults = self.hall.dial.take(scope["method"], scope["path"])
        scope[STATE] = {"faults": faults, "noted": False}
        for fault in faults:
            if fault.name == "slow":
                await asyncio.sleep(fault.milliseconds / 1000)
            elif fault.name == "drop_before":
                await self._note(scope, None, fault.name)
                return await self._cut(scope)
            elif (reply := _instead(fault)) is not None:
                await _read_all(receive)
                await self._note(scope, reply.status_code, fault.name)
                return await reply(scope, receive, send)
        await self._serve(scope, receive, send, faults)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, faults: list[Fault]) -> None:
        names = {fault.name: fault for fault in faults}
        if "forget_keys" in names:
            memory = self.hall.memory
            await asyncio.get_running_loop().run_in_executor(memory.worker, memory.forget_keys)
        if not names.keys() & CHANGED_AFTER:
            return await self._act(scope, receive, send)
        kept = Kept()
        if "partly" in names:
            await self._act(_without_key(scope), half_of(receive), kept.take)
        else:
            await self._act(scope, receive, kept.take)
        await self._answer(scope, receive, send, names, kept)

    async def _answer(
        self, scope: Scope, receive: Receive, send: Send, names: dict[FaultName, Fault], kept: Kept
    ) -> None:
        """Gives an answer that a fault has changed, or none."""
        if "drop_after" in names:
            return await self._cut(scope)
        if (fault := names.get("error_after") or names.get("partly")) is not None:
            return await JSONResponse({"error": "internal"}, fault.status)(scope, receive, send)
        for name, fault in names.items():
            if (spoil := SPOIL.get(name)) is not None:
                spoil(kept, fault)
        if (fault := names.get("wrong_length")) is not None:
            return await self._write(scope, kept.raw(fault.off_by))
        drip = names.get("drip")
        await kept.give(send, drip.milliseconds / 1000 if drip else None)

    async def _act(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets the service act, and writes down what its own handlers have not: refusals at the door, unknown paths."""
        status: int | None = None

        async def listen(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                await self._note_unless_noted(scope, status)
            await send(message)

        await self.hall.app(scope, receive, listen)

    async def _note_unless_noted(self, scope: Scope, status: int | None) -> None:
        if not scope[STATE]["noted"] and not (scope["method"] == "GET" and status == 200):
            await self._note(scope, status, "")

    async def _note(self, scope: MutableMapping[str, Any], status: int | None, fault: str) -> None:
        headers = dict(scope["headers"])
        key = headers.get(b"idempotency-key", b"").decode("latin-1") or None
        operation = "token" if scope["path"] == "/oauth/token" else ""
        heard = Heard(scope["method"], scope["path"], operation, key, "", 0, fault=fault)
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self.hall.memory.worker, self.hall.memory.note, heard, status)

    async def _cut(self, scope: Scope) -> None:
        for connection in self._connections_of(scope):
            connection.transport.abort()
        await asyncio.sleep(0)

    async def _write(self, scope: Scope, data: bytes) -> None:
        """Puts bytes on the line as they are, and closes it."""
        for connection in self._connections_of(scope):
            connection.transport.write(data)
            connection.transport.close()
            while connection in self._state.connections:
                await asyncio.sleep(0.01)

    def _connections_of(self, scope: Scope) -> list[Any]:
        connections: list[Any] = list(self._state.connections)
        return [each for each in connections if each.client == tuple(scope["client"])]


def _instead(fault: Fault) -> Response | None:
    """The reply that a fault puts in the place of any act."""
    if fault.name == "status":
        return JSONResponse({"error": f"fault dial says {fault.status}"}, fault.status, headers=_retry_after(fault))
    if fault.name == "error_in_200":
        return JSONResponse({"status": "ERROR", "message": "The request could not be processed"})
    if fault.name == "html":
        return HTMLResponse(PAGE)
    if fault.name == "redirect":
        return RedirectResponse(f"http://{HOST}:9/login", 302)
    return None


def _retry_after(fault: Fault) -> dict[str, str]:
    if fault.retry_after is None:
        return {}
    if fault.retry_after_as == "seconds":
        return {"Retry-After": str(fault.retry_after)}
    now = datetime.now(UTC)
    until = now + timedelta(seconds=fault.retry_after)
    return {"Date": format_datetime(now, usegmt=True), "Retry-After": format_datetime(until, usegmt=True)}


def _without_key(scope: Scope) -> Scope:
    headers = [(name, value) for name, value in scope["headers"] if name != b"idempotency-key"]
    return {**scope, "headers": headers}


async def _read_all(receive: Receive) -> None:
    with contextlib.suppress(KeyError):
        while (await receive())["more_body"]:
            pass


def _bound(port: int) -> socket.socket:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((HOST, port))
    return sock
