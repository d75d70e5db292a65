"""One request at a time, judged at once: what the other side refuses comes back as an error of ours.

For people and for DAGs of a utility's own. Flows send through the ledger, which remembers what became of each request;
the replies are judged by the same rules.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NoReturn

from drbridge.errors import Busy, Misconfigured, NotKnownThere, Rejected, Unreachable
from drbridge.exchange.operation import Operation, read_json
from drbridge.exchange.outcomes import judge
from drbridge.exchange.scrub import scrubbed
from drbridge.ledger.parcels import Claim, Outcome
from drbridge.ledger.states import ParcelState
from drbridge.loop import LoopThread
from drbridge.ports import Call, Lost, NotSent, Reply, RestTarget
from drbridge.systems import Endpoint

_FIRST_TRY = Claim(0, 0, 0, "", "", "", "", 0, 0, 1, "", 0, 1, in_doubt=False)


@dataclass(frozen=True, slots=True)
class Answered:
    """What the other side said to a request that it took.

    Attributes:
        status: of HTTP.
        data: the JSON of the reply; empty when there was none.
        had_it: it had the request's effect already.
    """

    status: int
    data: dict[str, Any]
    had_it: bool = False


class Line:
    """A REST side for synchronous code: one client and one token for all calls, until it is closed.

    Args:
        who: the name of the other side, for messages to people.
        conn_id: of its connection.
    """

    def __init__(self, target: RestTarget, who: str, conn_id: str) -> None:
        self._target, self._who, self._conn_id = target, who, conn_id
        self._loop = LoopThread("rest")

    def ask(self, call: Call, operation: Operation) -> Answered:
        """Sends once.

        Raises:
            Rejected: the other side refused; NotKnownThere: it does not know what the request names.
            Busy: it asks us to wait.
            Unreachable: it gave no answer; the error says whether the request may have taken effect.
            Misconfigured: the connection does not work.
        """
        try:
            reply = self._loop.run(self._target.call(call))
        except NotSent as error:
            raise Unreachable(
                f"{self._who} cannot be reached, nothing was sent", detail=str(error),
                fix=f"check connection {self._conn_id}, or try again later",
            ) from error  # fmt: skip
        except Lost as error:
            self._no_answer(call, str(error))
        data = read_json(reply.body)
        found = data if isinstance(data, dict) else {}
        if call.is_read and 200 <= reply.status < 300:
            return Answered(reply.status, found) if found else self._no_answer(call, "the reply is no JSON object")
        outcome = self._judged(reply, call, operation)
        if outcome.state != ParcelState.ACKED:
            self._refused(call, operation, reply, outcome)
        return Answered(reply.status, found, had_it=outcome.code == "already_done")

    def _judged(self, reply: Reply, call: Call, operation: Operation) -> Outcome:
        endpoint = Endpoint.model_construct(name=operation.name, method=call.method, path=call.path)
        return judge(reply, _FIRST_TRY, operation, endpoint, datetime.now(UTC))

    def _refused(self, call: Call, operation: Operation, reply: Reply, outcome: Outcome) -> NoReturn:
        detail = f"{call.method} {call.path}, HTTP {reply.status}"
        if outcome.state == ParcelState.REJECTED:
            kind = NotKnownThere if reply.status == 404 else Rejected
            if number := operation.kept(reply.body):
                detail += f", {operation.id_member} {number}"
            why = scrubbed(outcome.text, call, call.path.rpartition("/")[0])
            raise kind(f"{self._who} refused: {why}", detail, "correct it, then ask again")
        if outcome.retry_after is not None:
            raise Busy(f"{self._who} asks us to wait", detail, "try again later", outcome.retry_after)
        if outcome.state == ParcelState.UNKNOWN:
            self._no_answer(call, f"HTTP {reply.status}")
        what = "the login" if outcome.stop == "connection" else "the address"
        raise Misconfigured(f"{self._who} does not take {what}", detail, f"correct connection {self._conn_id}")

    def _no_answer(self, call: Call, why: str) -> NoReturn:
        doubt = "" if call.is_read else "; whether the request took effect is not known"
        raise Unreachable(
            f"{self._who} gave no answer{doubt}", f"{call.method} {call.path}: {why}", "look there, then ask again"
        )

    def close(self) -> None:
        self._loop.run(self._target.close())
        self._loop.close()
