"""Event status: a stage of a DR event was scheduled, has begun, has ended or was cancelled, from DERMS to DACS."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, ClassVar, Literal, Self

from pydantic import StringConstraints, model_validator
from pydantic.json_schema import SkipJsonSchema

from drbridge.contracts.message import Body, Key, Message, Moment, Part, entity_of, filled, iso

Status = Literal["SCHEDULED", "IN PROGRESS", "COMPLETED", "CANCELED"]
EventKey = Literal["stage", "event"]

CATEGORIES = {"ECONOMIC": "X1EC", "EMERGENCY": "X1EM", "RELIABILITY": "X1RE", "TEST": "X1DT"}
ACTIONS = {"IN PROGRESS": "X1IP", "COMPLETED": "F1CO", "CANCELED": "F1CN"}
LONGEST_REASON = 254


class EventStatus(Message):
    """A change of one stage, or the cancellation of a whole event (then it names no stage).

    Attributes:
        stages: of a cancelled event, the stages we know of; filled in by us on arrival, never by the sender.
    """

    noun: ClassVar[str] = "event_status"
    title: ClassVar[str] = "Event status"

    message_id: Key
    drms_instance_id: str = ""
    event_id: Key
    stage_id: Key | None = None
    program_id: Key | None = None
    event_type: Literal["ECONOMIC", "EMERGENCY", "RELIABILITY", "TEST"] | None = None
    stage_status: Status
    start_date_time: Moment | None = None
    end_date_time: Moment | None = None
    cancel_reason: Annotated[str, StringConstraints(max_length=LONGEST_REASON)] = ""
    sent_at: Moment
    stages: SkipJsonSchema[tuple[Key, ...]] = ()

    @model_validator(mode="after")
    def _scheduled_says_what_and_when(self) -> Self:
        if self.stage_id is None and self.stage_status != "CANCELED":
            raise ValueError("stageId is missing: only CANCELED may speak of a whole event")
        if self.stage_status == "SCHEDULED":
            given = (self.program_id, self.event_type, self.start_date_time, self.end_date_time)
            if any(value is None for value in given):
                raise ValueError("SCHEDULED needs programId, eventType, startDateTime and endDateTime")
        start, end = self.start_date_time, self.end_date_time
        if start is not None and end is not None and end - start < timedelta(seconds=1):
            raise ValueError("endDateTime is not after startDateTime")
        return self

    @property
    def happened_at(self) -> datetime:
        return self.sent_at

    @property
    def group(self) -> str:
        return self.event_id

    @property
    def route(self) -> str:
        return self.drms_instance_id

    def parts(self) -> Sequence[Part]:
        """One request for its stage; a cancelled event: the event itself (no request), then each of its stages."""
        if self.stage_id is not None:
            return (Part(stage_entity(self.event_id, self.stage_id), self.sent_at),)
        stages = (Part(stage_entity(self.event_id, stage), self.sent_at) for stage in self.stages)
        return (Part(event_entity(self.event_id), self.sent_at), *stages)

    def stage_of(self, part: int) -> str | None:
        """The stage that a part speaks of; None for the event itself."""
        if self.stage_id is not None:
            return self.stage_id
        return self.stages[part - 1] if part else None


def stage_entity(event_id: str, stage_id: str) -> str:
    """A stage, as the ledger names what requests speak of."""
    return entity_of("stage", event_id, stage_id)


def event_entity(event_id: str) -> str:
    """A whole event, likewise."""
    return entity_of("event", event_id)


def to_create_program_event(message: EventStatus, event_key: EventKey) -> Body:
    """The body of Create Program Event for a stage that was scheduled.

    Args:
        event_key: whether the other side knows a program event by the stage or by the event.
    """
    start, end = message.start_date_time, message.end_date_time
    assert start is not None
    assert end is not None
    assert message.event_type is not None
    return {
        "eventExternalIdentifier": message.event_id,
        "externalIdentifier": message.stage_id if event_key == "stage" else message.event_id,
        "programExternalIdentifier": message.program_id,
        "programEventCategory": CATEGORIES[message.event_type],
        "startDateTime": iso(start),
        "endDateTime": iso(end),
    }


def to_action_program_event(message: EventStatus, part: int, event_key: EventKey) -> Body:
    """The body of Action Program Event for a stage that has begun, ended or was cancelled."""
    return filled({
        "eventExternalIdentifier": message.stage_of(part) if event_key == "stage" else message.event_id,
        "action": ACTIONS[message.stage_status],
        "cancelReason": message.cancel_reason if message.stage_status == "CANCELED" else None,
    })


def to_pre_event_cancellation(message: EventStatus) -> Body:
    """The body of Pre-Event Cancellation (23A): an event that will not take place."""
    return filled({
        "externalEventIdentifier": message.event_id,
        "messageId": message.message_id,
        "cancellationMessageText": message.cancel_reason,
    })
