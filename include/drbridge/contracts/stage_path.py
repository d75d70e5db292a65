"""The path of an event stage, and what a status message means for a stage that has come so far.

SCHEDULED -> IN PROGRESS -> COMPLETED, and SCHEDULED -> CANCELED; a whole event that is cancelled takes with it the
stages that are still scheduled (guide 26.4, section Event Participation). What to do with messages that come late,
twice or contradict each other is our definition.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Literal

from drbridge.contracts.event_status import EventStatus, Status
from drbridge.contracts.message import iso

Kind = Literal["send", "known", "overtaken", "refused", "wait", "doubt"]

NEXT: dict[Status, tuple[Status, ...]] = {
    "SCHEDULED": ("IN PROGRESS", "CANCELED"), "IN PROGRESS": ("COMPLETED",), "COMPLETED": (), "CANCELED": (),
}  # fmt: skip
BEHIND: dict[Status, tuple[Status, ...]] = {
    "SCHEDULED": (), "IN PROGRESS": ("SCHEDULED",), "COMPLETED": ("SCHEDULED", "IN PROGRESS"), "CANCELED": (),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reached:
    """How far a stage has come at the other side.

    Attributes:
        sent_at: of the message that brought it there, seconds since 1970 UTC.
        starts, ends: the times it was scheduled for, UTC.
    """

    status: Status
    sent_at: float
    starts: str = ""
    ends: str = ""

    def as_text(self) -> str:
        """As the ledger keeps it."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_text(cls, text: str) -> Reached:
        """What `as_text` wrote."""
        return cls(**json.loads(text))


@dataclass(frozen=True, slots=True)
class Step:
    """What a message means: `send` it, it is `known` there, it was `overtaken`, it is `refused`, it has to `wait` for
    what comes before it, or it leaves us in `doubt` and a person decides."""

    kind: Kind
    why: str = ""


def step(message: EventStatus, reached: Reached | None, event_cancelled_at: float | None) -> Step:
    """What a message means for its stage.

    Args:
        reached: how far the stage has come; None when the other side has nothing of it.
        event_cancelled_at: when the whole event was cancelled, if it was.
    """
    if reached is None:
        return _first(message, event_cancelled_at)
    status, sent_at = message.stage_status, message.sent_at.timestamp()
    if message.stage_id is None and reached.status in ("IN PROGRESS", "COMPLETED"):
        return Step("overtaken", f"the stage is {reached.status}: with its event, only a scheduled stage is cancelled")
    if status == reached.status or status in BEHIND[reached.status]:
        return _again(message, reached)
    if sent_at < reached.sent_at:
        return Step("overtaken", f"the stage is {reached.status} by a newer message")
    if status in NEXT[reached.status]:
        return Step("send")
    if reached.status == "SCHEDULED":
        return Step("wait", f"{status} waits for IN PROGRESS")
    return Step("refused", f"a stage that is {reached.status} cannot become {status}")


def after(message: EventStatus, reached: Reached | None) -> Reached:
    """How far the stage has come once the message took effect."""
    sent_at, start, end = message.sent_at.timestamp(), message.start_date_time, message.end_date_time
    if message.stage_status == "SCHEDULED" and start is not None and end is not None:
        return Reached("SCHEDULED", sent_at, iso(start), iso(end))
    starts, ends = (reached.starts, reached.ends) if reached else ("", "")
    return Reached(message.stage_status, sent_at, starts, ends)


def _first(message: EventStatus, event_cancelled_at: float | None) -> Step:
    if message.stage_id is None:
        return Step("overtaken", "nothing of the stage was scheduled at the other side")
    if event_cancelled_at is not None and message.sent_at.timestamp() <= event_cancelled_at:
        return Step("overtaken", "the whole event was cancelled by a newer message")
    if event_cancelled_at is not None:
        return Step("refused", "the whole event was cancelled before")
    if message.stage_status == "SCHEDULED":
        return Step("send")
    return Step("wait", f"{message.stage_status} waits for SCHEDULED")


def _again(message: EventStatus, reached: Reached) -> Step:
    """A status the stage has, or has been through."""
    start, end = message.start_date_time, message.end_date_time
    moved = start is not None and end is not None and (iso(start), iso(end)) != (reached.starts, reached.ends)
    if message.stage_status != "SCHEDULED" or not moved:
        return Step("known", f"the stage is {reached.status}")
    if message.sent_at.timestamp() < reached.sent_at:
        return Step("overtaken", f"the stage is {reached.status} by a newer message")
    return Step("doubt", "SCHEDULED again, with other times than the other side has: a person decides which are right")
