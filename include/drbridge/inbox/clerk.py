"""The clerk behind the inbox's doors: admits callers, reads, stores, answers."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse, Response
from pydantic import ValidationError
from starlette.datastructures import UploadFile

from drbridge.exchange.accept import Post, Receipt, read
from drbridge.exchange.desk import Desk
from drbridge.exchange.results import Result, result_of
from drbridge.inbox import filing
from drbridge.inbox.callers import Caller, Callers
from drbridge.inbox.held import HeldCalls
from drbridge.inbox.letterbox import Letterbox
from drbridge.inbox.paths import Door
from drbridge.inbox.problems import Refused, flaws
from drbridge.inbox.reading import file_of, form_of, json_of, parsed
from drbridge.systems import Flow

LONGEST_WAIT_SECONDS = 60.0
NOT_SIGNED_IN = "Nobody is signed in: send Authorization, Basic or Bearer"
_WAIT = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?([0-9]{1,4})\"?\s*(?:$|[,;])", re.IGNORECASE)


class Clerk:
    """Serves all doors of one app."""

    def __init__(self, desk: Callable[[], Desk], callers: Callers) -> None:
        self._desk, self._callers = desk, callers
        self._letterbox, self._held = Letterbox(desk), HeldCalls(desk)

    async def take(self, request: Request, door: Door, waits: bool) -> Response:
        """Stores what was posted, then answers; holds the call for its result where the caller asks for that.

        Args:
            waits: existing callers of this door expect the result in the same call.
        """
        caller = await self._admitted(request)
        flows = filing.flows_of(self._desk(), door)
        await self._need_permission(caller, [flow.name for flow in flows])
        match door.shape:
            case "json":
                post = self._read(door.noun, await json_of(request), caller)
                receipt = await self._letterbox.put(post)
            case "json and file":
                receipt = await self._take_both(request, door, caller, flows)
            case _:
                receipt = await self._take_file(request, door, caller, flows)
        if receipt.is_other:
            raise Refused(
                422, "Another message came under this number before: give a new message a new number",
                [{"field": "number", "code": "number_taken", "text": "its content differs from what was stored"}],
            )  # fmt: skip
        return await self._answer(request, receipt, LONGEST_WAIT_SECONDS if waits else 0.0)

    async def tell(self, request: Request, number: str) -> Response:
        """What has become of a message."""
        caller = await self._admitted(request)
        found = await self._result(number)
        if found is None:
            raise Refused(404, "No message has this number: it is the messageNumber that its sender was told")
        await self._need_permission(caller, list(found.flows))
        if not found.is_settled and (seconds := _wait_of(request)):
            await self._held.until_settled(number, seconds)
            found = await self._result(number) or found
        return JSONResponse(found.as_dict())

    async def health(self) -> dict[str, str]:
        """Whether the ledger can be read and the settings are right."""
        await self._result("-")
        return {"status": "UP"}

    async def _admitted(self, request: Request) -> Caller:
        header = request.headers.get("authorization", "")
        caller = await self._callers.who(header) if header else None
        if caller is None:
            raise Refused(401, NOT_SIGNED_IN, headers={"WWW-Authenticate": 'Basic realm="drbridge", Bearer'})
        return caller

    async def _need_permission(self, caller: Caller, flows: list[str]) -> None:
        for flow in flows:
            if await self._callers.may_send(caller, flow):
                return
        if flows:
            raise Refused(
                403, f"This caller may not give work to {' or '.join(flows)}: ask for the right to trigger it"
            )

    def _read(self, noun: str, data: Any, caller: Caller, file_name: str = "", inside: str = "") -> Post:
        if not isinstance(data, dict):
            raise Refused(422, "The message is not a JSON object", [
                {"field": inside or "message", "code": "not_an_object", "text": "an object is needed"}])  # fmt: skip
        try:
            return read(noun, data, caller.name, file_name)
        except ValidationError as error:
            raise Refused(
                422, "The message is not as agreed: correct the fields named below", flaws(error, inside)
            ) from None

    async def _take_both(self, request: Request, door: Door, caller: Caller, flows: list[Flow]) -> Receipt:
        async with form_of(request, fields=1) as form:
            part = form.get("message")
            if not isinstance(part, str):
                raise Refused(422, "The part 'message' is missing: send the message's JSON in it", [
                    {"field": "message", "code": "missing", "text": "the part is missing, or is a file"}])  # fmt: skip
            data, file = parsed(part.encode("utf-8", "surrogatepass")), file_of(form)
            post = self._read(door.noun, data, caller, "-", "message")
            name = filing.name_of(post)
            return await self._file(file, door, Post(post.message, post.data, post.caller, name), flows)

    async def _take_file(self, request: Request, door: Door, caller: Caller, flows: list[Flow]) -> Receipt:
        async with form_of(request, fields=0) as form:
            file = file_of(form)
            name = filing.plain_name(file.filename or "", flows)
            digest, size = await asyncio.to_thread(filing.measure, file.file)
            data = {"contract": door.noun, "name": name, "sha256": digest, "bytes": size}
            return await self._file(file, door, read("posted_file", data, caller.name, name), flows)

    async def _file(self, file: UploadFile, door: Door, post: Post, flows: list[Flow]) -> Receipt:
        await asyncio.to_thread(filing.lay_down, self._desk(), door, post, file.file)
        return await self._letterbox.put(post)

    async def _answer(self, request: Request, receipt: Receipt, default_wait: float) -> Response:
        """200 with the result, or 202: it is stored, and goes."""
        told: dict[str, Any] = {"messageNumber": receipt.number, "state": "stored"}
        seconds = _wait_of(request, default_wait)
        if seconds:
            await self._held.until_settled(receipt.number, seconds)
        if seconds or not receipt.is_new:
            found = await self._result(receipt.number)
            if found is not None and found.is_settled and seconds:
                return JSONResponse(found.as_dict())
        where = str(request.url_for("message", number=receipt.number))
        return JSONResponse({**told, "status": where}, 202, {"Location": where})

    async def _result(self, number: str) -> Result | None:
        return await asyncio.to_thread(result_of, self._desk(), number)


def _wait_of(request: Request, default: float = 0.0) -> float:
    """How long a caller would wait for the result (RFC 7240): at most a minute."""
    found = _WAIT.search(request.headers.get("prefer", ""))
    return min(float(found[1]), LONGEST_WAIT_SECONDS) if found else default
