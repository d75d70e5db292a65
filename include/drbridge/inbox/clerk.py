"""The clerk behind the inbox's doors: admits callers, reads, stores, answers."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse, Response
from pydantic import ValidationError

from drbridge.exchange.accept import Post, Receipt, read
from drbridge.exchange.desk import Desk
from drbridge.exchange.results import Result, result_of
from drbridge.inbox import filing
from drbridge.inbox.callers import Caller, Callers
from drbridge.inbox.filing import Attached
from drbridge.inbox.held import HeldCalls
from drbridge.inbox.letterbox import Letterbox
from drbridge.inbox.paths import DOOR_OF, Door
from drbridge.inbox.problems import Refused, flaws, number_taken
from drbridge.inbox.reading import Limits, file_of, form_of, json_of, parsed
from drbridge.systems import Flow

NOT_SIGNED_IN = "Nobody is signed in: send Authorization, Basic or Bearer"
_WAIT = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?([0-9]{1,4})\"?\s*(?:$|[,;])", re.IGNORECASE | re.ASCII)


class Clerk:
    """Serves all doors of one app."""

    def __init__(self, desk: Callable[[], Desk], callers: Callers, limits: Limits) -> None:
        self._open_desk, self._callers, self._limits = desk, callers, limits
        self._letterbox, self._held = Letterbox(desk), HeldCalls(desk)

    async def take(self, request: Request, door: Door, waits: bool) -> Response:
        """Stores what was posted, then answers; holds the call for its result where the caller asks for that.

        Args:
            waits: existing callers of this door expect the result in the same call.
        """
        caller, desk = await self._admitted(request), await self._desk()
        flows = filing.flows_of(desk, door)
        await self._need_permission(caller, [flow.name for flow in flows])
        match door.shape:
            case "json":
                receipt = await self._letterbox.put(_read(door.noun, await json_of(request, self._limits), caller))
            case "json and file":
                receipt = await self._take_both(request, desk, door, caller)
            case _:
                receipt = await self._take_file(request, desk, door, caller, flows)
        if receipt.is_other:
            raise number_taken()
        return await self._answer(request, receipt.number, self._limits.wait_seconds if waits else 0.0)

    async def tell(self, request: Request, number: str) -> Response:
        """What has become of a message."""
        caller, desk = await self._admitted(request), await self._desk()
        found = await self._result(number)
        if found is None or not (found.flows or found.noun in DOOR_OF):
            raise Refused(404, "No message has this number: it is the messageNumber that its sender was told")
        flows = found.flows or [flow.name for flow in filing.flows_of(desk, DOOR_OF[found.noun])]
        await self._need_permission(caller, flows)
        seconds = self._wait_of(request)
        if seconds and not found.is_settled:
            await self._held.until_settled(number, seconds)
            found = await self._result(number) or found
        return JSONResponse(found.as_dict())

    async def health(self) -> dict[str, str]:
        """Whether the ledger can be read and the settings are right."""
        await self._result("-")
        return {"status": "UP"}

    async def _desk(self) -> Desk:
        """Settings and ledger; the first time that takes a while, or finds the ledger away."""
        return await asyncio.to_thread(self._open_desk)

    async def _admitted(self, request: Request) -> Caller:
        header = request.headers.get("authorization", "")
        caller = await self._callers.who(header) if header else None
        if caller is None:
            raise Refused(401, NOT_SIGNED_IN, headers={"WWW-Authenticate": 'Basic realm="drbridge", Bearer'})
        return caller

    async def _need_permission(self, caller: Caller, flows: Sequence[str]) -> None:
        for flow in flows:
            if not await self._callers.may_send(caller, flow):
                raise Refused(403, f"This caller may not give work to {flow}: ask for the right to trigger it")

    async def _take_both(self, request: Request, desk: Desk, door: Door, caller: Caller) -> Receipt:
        async with form_of(request, fields=1, limits=self._limits) as form:
            part = form.get("message")
            if not isinstance(part, str):
                raise Refused(422, "The part 'message' is missing: send the message's JSON in it", [
                    {"field": "message", "code": "missing", "text": "the part is missing, or is a file"}])  # fmt: skip
            data = await parsed(part.encode("utf-8", "surrogatepass"), self._limits)
            post = _read(door.noun, data, caller, "-", "message")
            attached = await asyncio.to_thread(Attached.of, file_of(form).file)
            named = Post(post.message, post.data, post.caller, filing.name_of(post))
            return await self._file(desk, door, named, attached)

    async def _take_file(self, request: Request, desk: Desk, door: Door, caller: Caller, flows: list[Flow]) -> Receipt:
        async with form_of(request, fields=0, limits=self._limits) as form:
            file = file_of(form)
            name = filing.plain_name(desk, file.filename or "", flows)
            attached = await asyncio.to_thread(Attached.of, file.file)
            data = {"contract": door.noun, "name": name, "sha256": attached.sha256, "bytes": attached.bytes}
            return await self._file(desk, door, read("posted_file", data, caller.name, name), attached)

    async def _file(self, desk: Desk, door: Door, post: Post, attached: Attached) -> Receipt:
        await asyncio.to_thread(filing.lay_down, desk, door, post, attached)
        return await self._letterbox.put(post)

    async def _answer(self, request: Request, number: str, default_wait: float) -> Response:
        """200 with the result if the caller waited for it and it came, else 202: it is stored, and goes."""
        if seconds := self._wait_of(request, default_wait):
            await self._held.until_settled(number, seconds)
            found = await self._result(number)
            if found is not None and found.is_settled:
                return JSONResponse(found.as_dict())
        where = request.url_for("message", number=number).path
        told = {"messageNumber": number, "state": "stored", "status": where}
        return JSONResponse(told, 202, {"Location": where})

    async def _result(self, number: str) -> Result | None:
        return await asyncio.to_thread(lambda: result_of(self._open_desk(), number))

    def _wait_of(self, request: Request, default: float = 0.0) -> float:
        """How long a caller would wait for the result (RFC 7240): at most a minute."""
        found = _WAIT.search(request.headers.get("prefer", ""))
        return min(float(found[1]), self._limits.wait_seconds) if found else default


def _read(noun: str, data: Any, caller: Caller, file_name: str = "", inside: str = "") -> Post:
    if not isinstance(data, dict):
        raise Refused(422, "The message is not a JSON object", [
            {"field": inside or "message", "code": "not_an_object", "text": "an object is needed"}])  # fmt: skip
    try:
        return read(noun, data, caller.name, file_name)
    except ValidationError as error:
        raise Refused(
            422, "The message is not as agreed: correct the fields named below", flaws(error, inside)
        ) from None
