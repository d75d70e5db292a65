"""DACS and the DERMS as callers of the inbox: many calls at once, each repeated until it is told that it is safe."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from drbridge_sandbox.day.acts import Post

PUBLISHED = "/ic/api/integration/v2/flows/oracleutilities/project/OUTL-BA-DACS_DERMS/"
PATHS = {
    "enrollment_request": "OUTL-BA-DRMS_DACS_ENROLLRQ/1.0/enroll-to-dacs",
    "enrollment_change": "OUTL-BA-DACS_DRMS/enrollmentSync",
    "enrollment_ack_message": "OUTL-BA-DRMS_DACS_SYNC_ACK/1.0/sendEnrollAck",
    "device_status_check": "OUTL-BA-DACS_DRMS/deviceStatusCheck",
    "device_status_ack": "OUTL-BA-DRMS_DACS_DEV_STAT_ACK/1.0/status-check-ack-to-dacs",
    "event_status": "OUTL-BA-DRMS_DACS_STAGE_STATUS/1.0/stageStatusChange",
    "device_reservation": "OUTL_BA_DRMS_DACS_EVT_DVCRESV/1.0/reserveDevice",
    "event_outcome": "OUTL-BA-DRMS_DACS_EVT_OUTC_TRNFR/1.0/eventOutcome",
    "program_rules": "OUTL-BA-DACS_DRMS/programRules",
    "program_rules_ack": "OUTL-BA-DRMS_DACS_PRGRULE_ACK/1.0/sendProgramRuleAck",
    "aggregator": "OUTL-BA-DACS_DRMS/aggregators",
    "aggregator_ack": "OUTL-BA-DRMS_DACS_AGGR_ACK/1.0/sendAggregatorAck",
    "event_opt_out": "OUTL-BA-DACS_DRMS/eventOptOut",
    "unavailability": "OUTL-BA-DACS_DRMS/unavailability",
    "customers_ack": "OUTL-BA-DACS_CCS/customersAck",
}
AT_ONCE = 16
TRIES = 5
SECONDS_PER_CALL = 90.0


class PostRefused(RuntimeError):
    """The inbox did not take a message."""


@dataclass(frozen=True)
class Inbox:
    """Where messages are posted.

    Attributes:
        url: of the server that serves the published paths.
        transport: how calls travel; the network unless it is said.
        wait_seconds: how long a caller that wants its reply in the same call waits for it; 0: it does not.
        tries: how often a message is posted, a second apart, before its sender gives up.
    """

    url: str
    user: str
    password: str
    transport: httpx.AsyncBaseTransport | None = None
    wait_seconds: int = 60
    tries: int = TRIES

    def post(self, posts: Sequence[Post]) -> list[str]:
        """Posts all of them, many at once; returns what replies lacked that were waited for.

        Raises:
            PostRefused: one was not taken.
        """
        return asyncio.run(self._post(posts))

    async def _post(self, posts: Sequence[Post]) -> list[str]:
        gate = asyncio.Semaphore(AT_ONCE)
        async with httpx.AsyncClient(
            base_url=self.url, auth=(self.user, self.password), transport=self.transport, timeout=SECONDS_PER_CALL
        ) as client:
            found = await asyncio.gather(*(self._one(client, gate, post) for post in posts))
        return [text for text in found if text]

    async def _one(self, client: httpx.AsyncClient, gate: asyncio.Semaphore, post: Post) -> str:
        for left in reversed(range(self.tries)):
            try:
                async with gate:
                    answer = await client.post(PUBLISHED + PATHS[post.noun], **self._content(post))
            except httpx.TransportError:
                if not left:
                    raise
            else:
                if answer.status_code < 500 or not left:
                    return self._lacks(post, answer)
            await asyncio.sleep(1.0)
        raise AssertionError

    def _content(self, post: Post) -> dict[str, Any]:
        headers = {"Prefer": f"wait={self.wait_seconds if post.reply else 0}"}
        if post.file is None:
            return {"headers": headers, "json": post.body}
        name, content = post.file
        message = {} if post.body is None else {"message": json.dumps(post.body)}
        return {"headers": headers, "data": message, "files": {"file": (name, content, "text/csv")}}

    def _lacks(self, post: Post, answer: httpx.Response) -> str:
        if answer.status_code not in (200, 202):
            raise PostRefused(f"{post.noun}: {answer.status_code} {answer.text[:500]}")
        if post.reply is None or not self.wait_seconds:
            return ""
        told = answer.json().get("MsgAck", {})
        found = tuple(told.get(name) for name in ("ackType", "accepted", "rejected"))
        return (
            "" if found == post.reply else f"the reply to {post.noun} was to be {post.reply}, not {answer.text[:300]}"
        )
