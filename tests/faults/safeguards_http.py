"""The safeguards of REST sides, tokens, time and processes: which test misses each, and how it is taken out."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import aiohttp
import pytest
from sqlalchemy import Connection, update
from sqlalchemy.exc import OperationalError

from drbridge.adapters import http, http_auth
from drbridge.adapters.deadlines import Deadlines
from drbridge.adapters.http import HttpTarget
from drbridge.adapters.http_auth import ClientCredentials
from drbridge.exchange import operation, operations, outcomes, requests, sender
from drbridge.exchange.operation import Answer, Operation
from drbridge.exchange.requests import Requests
from drbridge.exchange.sender import Sender
from drbridge.ledger import leases, messages, parcels, targets
from drbridge.ledger.states import ParcelState
from drbridge.ports import NotSent
from tests.faults.named_http import FAULTS

Out = Callable[[pytest.MonkeyPatch], None]
NEVER = float("-inf")
_WITHIN = Deadlines.within


@dataclass(frozen=True)
class Safeguard:
    """One of them.

    Attributes:
        fault: a name of FAULTS, whose test fails without it.
        case: of that test's cases those that fail, by a part of their id; empty: all of them.
        out: takes it out, until the patch is undone.
    """

    name: str
    fault: str
    out: Out
    case: str = ""

    @property
    def test(self) -> str:
        return FAULTS[self.fault]


def _put(where: Any, name: str, value: Any) -> Out:
    return lambda patch: patch.setattr(where, name, value)


def _always(kind: type, name: str, value: Any) -> Out:
    """An attribute that keeps one value, whatever is written into it."""
    return lambda patch: patch.setattr(kind, name, property(lambda _: value, lambda _, __: None), raising=False)


def _without_window(judge: str) -> Out:
    real = getattr(sender, judge)

    def judged(*given: Any) -> Any:
        found = real(*given)
        return found and replace(found, retry_after=None)

    return _put(sender, judge, judged)


def _not_sent(self: NotSent, text: str, instead: Any = None) -> None:
    Exception.__init__(self, text)
    self.instead = None


def _by_our_clock(date: str, _reply: Any, now: Any) -> float:
    return float((outcomes._moment(date) - now).total_seconds())


def _followed(patch: pytest.MonkeyPatch) -> None:
    real = aiohttp.ClientSession.request
    patch.setattr(
        aiohttp.ClientSession, "request", lambda *given, **more: real(*given, **{**more, "allow_redirects": True})
    )


def _without_key(patch: pytest.MonkeyPatch) -> None:
    real = HttpTarget._exchange

    async def exchange(self: HttpTarget, method: str, url: str, headers: Any, body: Any) -> Any:
        kept = {name: value for name, value in headers.items() if name != "Idempotency-Key"}
        return await real(self, method, url, kept, body)

    patch.setattr(HttpTarget, "_exchange", exchange)


def _refused_5xx(patch: pytest.MonkeyPatch) -> None:
    real = sender.judge

    def judge(reply: Any, *given: Any) -> Any:
        found = real(reply, *given)
        return found._replace(state=ParcelState.REJECTED) if reply.status >= 500 else found

    patch.setattr(sender, "judge", judge)


def _unfenced(patch: pytest.MonkeyPatch) -> None:
    def write(tx: Any, _lease: Any, group: Any) -> set[int]:
        outcome, ids = group[0].outcome, [each.claim.id for each in group]
        tx.execute(update(parcels.parcels).where(parcels.parcels.c.id.in_(ids)).values(state=outcome.state.value))
        return set(ids)

    patch.setattr(leases, "keep", lambda _tx, lease, _seconds=90.0: replace(lease, seconds_left=90.0))
    patch.setattr(parcels, "_write", write)


def _swallowed(patch: pytest.MonkeyPatch) -> None:
    real = Connection.commit

    def commit(self: Connection) -> None:
        with suppress(OperationalError):
            real(self)

    patch.setattr(Connection, "commit", commit)


async def _each_for_itself(self: ClientCredentials, _refused: str) -> str:
    async with self._lock:
        await self._renew()
    return self._value


def _another_number(patch: pytest.MonkeyPatch) -> None:
    real, numbers = Requests._of_message, itertools.count(90_000_000_000_000)

    def of_message(self: Requests, claim: Any) -> Any:
        address = real(self, claim)
        return replace(address, body={**address.body, "dacsMessageId": str(next(numbers))})  # type: ignore[dict-item]

    patch.setattr(Requests, "_of_message", of_message)


def _of_no_records(patch: pytest.MonkeyPatch) -> None:
    known = {name: replace(each, names_a_resource=False) for name, each in operations.OPERATIONS.items()}
    patch.setattr(operations, "OPERATIONS", known)


def _uncapped(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(http, "LARGEST_REPLY_BYTES", 1 << 40)
    patch.setattr(Operation, "read_answer", lambda *_: Answer(True))


_SILENT = _put(http, "_failure", lambda _error, sent: NotSent("as if it had not been sent"))
_ANY_2XX = _put(Operation, "read_answer", lambda *_: Answer(True))
_NO_DOUBT = _put(parcels, "doubt_older_epochs", lambda *_: 0)
_UNKNOWN_NUMBERS = _put(messages, "by_number", lambda *_: {})
_UNSPLIT = _put(Operation, "can_split", property(lambda _: False))
_NOT_DONE = _put(Operation, "is_already_done", lambda *_: False)

SAFEGUARDS = (
    Safeguard("what waits for the wire goes back when its target is in trouble",
              "storm of 429 or 503 while eight are on the wire", _always(Sender, "troubled", NEVER)),
    Safeguard("the window that a target named is written down", "storm of 429 among the rows of a file",
              _put(targets, "asked_to_wait", lambda *_: None)),
    Safeguard("the window of a token service counts", "429 of the token service", _put(NotSent, "__init__", _not_sent)),
    Safeguard("the window named in answer to a question counts", "503 to a question about what is in doubt",
              _without_window("judge_asked")),
    Safeguard("the window of a health check counts", "503 of a health check", _without_window("judge_health")),
    Safeguard("a date is read by the clock of who wrote it", "clock steps: our clock is wrong when a date is named",
              _put(outcomes, "_seconds_until", _by_our_clock)),
    Safeguard("no window is shorter than a second", "429 that names no time",
              _put(outcomes, "SHORTEST_RETRY_AFTER", 0.0)),
    Safeguard("what fails together counts once", "failures on the wire together",
              _always(Sender, "failure_counted", NEVER)),
    Safeguard("a line that breaks after the request leaves it in doubt", "answer of a wrong length", _SILENT,
              "wrong_length"),
    Safeguard("a line that breaks after the request leaves it in doubt", "line cut before or after the target acted",
              _SILENT, "drop_"),
    Safeguard("an answer has a largest size, and is one", "gzip bomb that is small enough to be unpacked", _uncapped,
              "bomb"),
    Safeguard("a 5xx leaves it in doubt", "5xx after the target acted", _refused_5xx, "error_after"),
    Safeguard("a 2xx must be an answer", "HTML in the place of an answer", _ANY_2XX, "html"),
    Safeguard("an error inside a 200 is looked for", "error inside a 200",
              _put(operation, "_says_error", lambda _: False)),
    Safeguard("one deadline for a request and its whole answer", "slow-loris: an answer that drips",
              _put(Deadlines, "within", lambda self, _, call: _WITHIN(self, 25, call))),
    Safeguard("a line that falls silent leaves it in doubt", "half-open line", _SILENT),
    Safeguard("redirects are not followed", "redirect", _followed),
    Safeguard("an answer has a largest size", "gzip bomb as an answer", _put(http, "LARGEST_REPLY_BYTES", 1 << 40)),
    Safeguard("a connection on which something came unasked is left",
              "answer that is followed by what nobody asked for", _put(http, "_Connector", aiohttp.TCPConnector)),
    Safeguard("one more look at the lease before the wire", "paused past its lease, policies resend and park",
              _put(Sender, "_keep_lease", lambda _: None)),
    Safeguard("one more look at the lease before the wire", "paused past its lease, policy query",
              _put(Sender, "_keep_lease", lambda _: None)),
    Safeguard("a lease that ran out is ours while nobody took the lane",
              "paused past its lease, and nobody took the lane", _put(sender, "LEASE_NEEDED_SECONDS", 1_000.0)),
    Safeguard("the database's clock, not ours", "frozen clock", _put(Sender, "_keep_lease", lambda _: None)),
    Safeguard("outcomes are fenced by state and epoch", "orphaned twin: it lives on, and is fenced", _unfenced),
    Safeguard("a commit that fails ends the run", "COMMIT lost, or its reply, before and after the wire", _swallowed,
              "before the wire-0-the commit"),
    Safeguard("what a lost worker had under way is in doubt", "COMMIT lost, or its reply, before and after the wire",
              _NO_DOUBT, "before the wire-0-its reply"),
    Safeguard("a commit that fails ends the run", "COMMIT lost, or its reply, before and after the wire", _swallowed,
              "after the wire-1-its reply"),
    Safeguard("the key survives a retry", "COMMIT lost, or its reply, before and after the wire", _without_key,
              "after the wire-1-the commit"),
    Safeguard("a number is taken once", "COMMIT lost, or its reply, when a message is accepted", _UNKNOWN_NUMBERS),
    Safeguard("a number is taken once", "COMMIT shared by two callers lost", _UNKNOWN_NUMBERS),
    Safeguard("what a lost worker had under way is in doubt", "PostgreSQL gone in the middle of a send and back",
              _NO_DOUBT),
    Safeguard("one caller fetches the token for all", "token ends in mid-batch with eight on the wire",
              _put(ClientCredentials, "refreshed", _each_for_itself)),
    Safeguard("a token service in trouble is no mistake of ours", "token service fails in mid-batch",
              _put(http_auth, "NotSent", lambda text, _=None: http_auth.Misconfigured(text))),
    Safeguard("a refused login stops the lane", "login taken away in mid-batch", _always(Sender, "stop", "")),
    Safeguard("a 5xx leaves it in doubt", "batch that is partly accepted and refused as a whole", _refused_5xx, "500"),
    Safeguard("a refused chunk is halved", "batch with bad rows", _UNSPLIT),
    Safeguard("a refused chunk is halved", "batch that is partly accepted and refused as a whole", _UNSPLIT, "400"),
    Safeguard("a refused chunk is halved", "items of a batch shuffled or forgotten in its answer", _UNSPLIT),
    Safeguard("the same parcel is the same request", "target that forgot its keys", _another_number),
    Safeguard("what is in doubt is asked about", "target that forgot its keys, policy query",
              _put(sender, "judge_asked", lambda *_: None)),
    Safeguard("what cannot be built stops no other", "poison record among a thousand",
              _put(Requests, "_tried", Requests.build)),
    Safeguard("a list of devices waits for its stage, but not for ever", "outcome before its reservation",
              _put(requests, "waits_for_stage", lambda *_: True)),
    Safeguard("a request that is final already is done", "contradictory acknowledgements: yes after no, twice",
              _NOT_DONE),
    Safeguard("a request that is final already is done", "contradictory acknowledgements at once", _NOT_DONE),
    Safeguard("a request that is final already is done", "acknowledgement before the answer to its request",
              _NOT_DONE),
    Safeguard("404 on a record refuses the record", "acknowledgement before its request is known", _of_no_records),
)  # fmt: skip
"""Those that tests of other folders watch over are not among them: they fail there."""
