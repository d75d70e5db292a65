"""What an HTTP reply means for a parcel: done, refused, later, in doubt, or stop everything.

Our reading of the status codes, with each operation's own "already done" and "business refusal" taken into account.
"""

from __future__ import annotations

import random
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from drbridge.errors import DrBridgeError
from drbridge.exchange.operation import Operation
from drbridge.ledger.parcels import Claim, Outcome
from drbridge.ledger.states import ParcelState
from drbridge.ports import Lost, NotSent, Reply
from drbridge.systems import Endpoint

FIRST_WAIT_SECONDS = 2.0
LONGEST_WAIT_SECONDS = 900.0
DEFAULT_RETRY_AFTER = 30.0
SHORTEST_RETRY_AFTER = 1.0
LONGEST_RETRY_AFTER = 86_400.0
BUSY = (408, 425, 429)
NOT_BUILT = "not_built"
LEFT_ALONE = "left_alone"  # kept back, for its target was seen in trouble
LATER = "later"  # taken without a yes or no, which comes as a message of its own

KEPT_BACK = Outcome(
    ParcelState.PENDING, LEFT_ALONE, "not sent: its target was seen in trouble meanwhile", was_sent=False
)
STAGE_IS_MISSING = Outcome(
    ParcelState.PENDING, "no_stage", "its stage is not scheduled there yet", wait_seconds=5.0, was_sent=False
)
LEASE_IS_SHORT = Outcome(ParcelState.PENDING, "lease_short", "not sent: the lease is nearly over", was_sent=False)
NEXT_STEP = {
    ParcelState.PARKED: "ask the other side whether it has it; if not, trigger the flow with file = this number and "
    "resend = unknown",
    ParcelState.REJECTED: "have the cause corrected, then trigger the flow with file = this number and resend = failed",
}


def is_trouble(outcome: Outcome) -> bool:
    """Whether it says that the target, or our way to it, is in trouble: what waits for the wire must not go now."""
    return outcome.retry_after is not None or outcome.target_failed or bool(outcome.stop)


def back_off(tries: int) -> float:
    """Seconds to wait before the next try: more with each, at most 15 minutes, and never the same for two workers."""
    return random.uniform(0.5, 1.0) * min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2.0 ** min(tries - 1, 12))


def retry_after_of(reply: Reply, now: datetime) -> float | None:
    """The seconds a reply asks us to stay away, given as seconds or as a date; we believe at most a day."""
    value = _header(reply, "retry-after")
    try:
        seconds = float(value) if value.isascii() and value.isdecimal() else _seconds_until(value, reply, now)
    except (ValueError, OverflowError):
        return None
    return min(max(0.0, seconds), LONGEST_RETRY_AFTER)


def _seconds_until(date: str, reply: Reply, now: datetime) -> float:
    """By the clock of who answered, where it says its time: ours may be wrong."""
    moment = _moment(date)
    with suppress(ValueError, OverflowError):
        now = _moment(_header(reply, "date"))
    return (moment - now).total_seconds()


def _moment(date: str) -> datetime:
    moment = parsedate_to_datetime(date)
    return moment.replace(tzinfo=moment.tzinfo or UTC)


def _header(reply: Reply, name: str) -> str:
    return reply.headers.get(name, "").strip()


def _window(reply: Reply, now: datetime) -> float | None:
    """How long a reply has us leave its target alone; None when it does not ask for it."""
    asked = retry_after_of(reply, now) if reply.status in (*BUSY, 503) else None
    if reply.status in BUSY:
        return DEFAULT_RETRY_AFTER if asked is None else max(asked, SHORTEST_RETRY_AFTER)
    return asked


def judge_unbuilt(error: Exception, claim: Claim) -> Outcome:
    """What a request means that could not even be built: nothing was sent, and its cause may go away.

    Of an error that is not ours only the kind is told: its text may hold what a customer's record says.
    """
    why = str(error) if isinstance(error, DrBridgeError) else (
        f"{type(error).__name__}. Next: show this to whoever looks after drbridge"
    )  # fmt: skip
    return Outcome(
        ParcelState.PENDING, NOT_BUILT, f"its request could not be built: {why}", wait_seconds=back_off(claim.tries)
    )


def judge_failure(error: NotSent | Lost, claim: Claim, now: datetime) -> Outcome:
    """What a request without a reply means: it never left, or nobody knows."""
    if isinstance(error, NotSent):
        pause = _window(error.instead, now) if error.instead else None
        return Outcome(
            ParcelState.PENDING, "unreachable", str(error), wait_seconds=max(back_off(claim.tries), pause or 0.0),
            retry_after=pause, target_failed=True,
        )  # fmt: skip
    return Outcome(ParcelState.UNKNOWN, "no_answer", str(error), wait_seconds=back_off(claim.tries), target_failed=True)


def judge(reply: Reply, claim: Claim, operation: Operation, endpoint: Endpoint, now: datetime) -> Outcome:
    """What a reply means for its parcel."""
    status = reply.status
    if 200 <= status < 300:
        return _judge_success(reply, claim, operation)
    if status in (400, 409, 422) and operation.is_already_done(reply.body):
        return Outcome(ParcelState.ACKED, "already_done", "the target had it already", status)
    if status in (400, 413, 422) and claim.rows > 1 and operation.can_split:
        return Outcome(
            ParcelState.SPLIT, "split", f"refused as a whole with HTTP {status}; sent again in halves", status
        )
    if status in (400, 409, 413, 422) or (status == 404 and operation.names_a_resource):
        return Outcome(ParcelState.REJECTED, f"http_{status}", operation.reason(reply.body) or f"HTTP {status}", status)
    pause = _window(reply, now)
    if status in BUSY:
        return Outcome(
            ParcelState.PENDING, "busy", f"HTTP {status}", status, wait_seconds=pause or 0.0, retry_after=pause
        )
    if status >= 500:
        return Outcome(
            ParcelState.UNKNOWN, f"http_{status}", f"HTTP {status}", status,
            wait_seconds=max(back_off(claim.tries), pause or 0.0), retry_after=pause, target_failed=True,
        )  # fmt: skip
    return Outcome(
        ParcelState.PENDING, "misconfigured", f"{endpoint.method} {endpoint.path} answered HTTP {status}", status,
        wait_seconds=LONGEST_WAIT_SECONDS, stop="connection" if status in (401, 403) else "endpoint",
    )  # fmt: skip


def judge_health(reply: Reply, claim: Claim, now: datetime) -> Outcome:
    """What a health check means that does not say that all is well: nothing was sent."""
    text, pause = f"its health check answered HTTP {reply.status}", _window(reply, now)
    return Outcome(
        ParcelState.PENDING, "unhealthy", text, reply.status, wait_seconds=max(back_off(claim.tries), pause or 0.0),
        retry_after=pause, target_failed=True,
        stop="connection" if reply.status in (401, 403) else None,
    )  # fmt: skip


def judge_asked(reply: Reply, claim: Claim, operation: Operation, now: datetime) -> Outcome | None:
    """What the other side says about a request whose effect nobody knew; None: it has not had it, so it goes."""
    assert operation.asking is not None
    if reply.status == 404 or (200 <= reply.status < 300 and operation.asking.says_no(reply, claim.reaches or "")):
        return None
    if 200 <= reply.status < 300:
        return Outcome(ParcelState.ACKED, "asked", "in doubt, asked: the target has it", reply.status)
    pause = _window(reply, now)
    return Outcome(
        ParcelState.UNKNOWN, "not_told", f"asked whether it has it, it answered HTTP {reply.status}", reply.status,
        wait_seconds=max(back_off(claim.tries), pause or 0.0), retry_after=pause, target_failed=reply.status >= 500,
    )  # fmt: skip


def _judge_success(reply: Reply, claim: Claim, operation: Operation) -> Outcome:
    verdict = operation.read_answer(reply)
    if verdict.is_answer:
        if verdict.refusal:
            return Outcome(ParcelState.REJECTED, "refused", verdict.refusal, reply.status)
        code = LATER if verdict.comes_later else "accepted"
        return Outcome(ParcelState.ACKED, code, "", reply.status, reply=operation.kept(reply.body))
    return Outcome(
        ParcelState.UNKNOWN, "no_valid_answer", "it answered 2xx with something that is no answer", reply.status,
        wait_seconds=back_off(claim.tries), target_failed=True,
    )  # fmt: skip
