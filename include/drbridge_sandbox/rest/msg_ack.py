"""The DERMS' yes or no to a message of DACS, at once or later."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple

from drbridge_sandbox.rest.answers import Answer
from drbridge_sandbox.rest.memory import Tx

LATE = "late_verdict"


class Verdict(NamedTuple):
    """What the DERMS made of a message.

    Attributes:
        message_id: of DACS: the sync request or communication.
        error: why not; empty for a yes.
    """

    message_id: str
    error: str = ""

    @property
    def body(self) -> dict[str, Any]:
        """It in the frame of an acknowledgement."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        code = "ERROR" if self.error else "SUCCESS"
        response = {"id": "1", "value": self.error or "Done", "responseCode": code, "responseTimeISO": now,
                    "dacsMessageId": self.message_id}  # fmt: skip
        return {"MsgAck": {"ackType": code, "whenISO": now, "responses": {"response": [response]}}}


def answer(tx: Tx, verdict: Verdict, late: bool = False) -> Answer:
    """The reply that tells the verdict; late: it is kept, and the reply says only that the message is there."""
    if not late:
        return Answer(200, verdict.body, rows=1)
    tx.records.keep(LATE, verdict.message_id, verdict.body)
    return Answer(202, {"status": "ACCEPTED"}, rows=1)
