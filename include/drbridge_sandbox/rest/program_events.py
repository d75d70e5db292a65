"""Program events in DACS, one for each stage of a DERMS event, from scheduled to completed or cancelled."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import model_validator

from drbridge_sandbox.rest.answers import Answer, Refused
from drbridge_sandbox.rest.bodies import Strict, Text120, Text254, UtcTime, need_not_refused, parsed
from drbridge_sandbox.rest.memory import Effect, Tx
from drbridge_sandbox.rest.records import Records

PROGRAM_EVENT_PATH = "/rest/apis/cross/service/programEvent/"
LIFECYCLE_PATH = PROGRAM_EVENT_PATH + "lifecycle"
KIND, STEP = "program_event", "program_event_step"
CREATE = "create"
NEXT: dict[str, dict[str, str]] = {
    "PENDING": {"X1SD": "SCHEDULED"},
    "SCHEDULED": {"X1IP": "IN PROGRESS", "F1CN": "CANCELED"},
    "IN PROGRESS": {"F1CO": "COMPLETED"},
    "COMPLETED": {},
    "CANCELED": {},
}


class ProgramEvent(Strict):
    """A stage that was scheduled."""

    start_date_time: UtcTime
    end_date_time: UtcTime
    event_external_identifier: Text120
    external_identifier: Text120
    program_event_category: Literal["X1DT", "X1EC", "X1EM", "X1RE"]
    program_external_identifier: Text120

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Self:
        if self.end_date_time <= self.start_date_time:
            raise ValueError("the event does not end after it starts")
        return self


class Lifecycle(Strict):
    """A step of a program event."""

    event_external_identifier: Text120
    action: Literal["X1SD", "X1IP", "F1CO", "F1CN"]
    cancel_reason: Text254 | None = None


def create(tx: Tx, body: bytes, refused: frozenset[str]) -> Answer:
    """Schedules a new program event."""
    event = parsed(ProgramEvent, body)
    stage = event.external_identifier
    try:
        need_not_refused(refused, stage)
        if tx.records.get(KIND, stage) is not None:
            raise Refused(400, f"Program event {stage} already exists")
    except Refused as no:
        return _refuse(tx, stage, CREATE, no)
    return _take(tx, stage, CREATE, event.record | {"status": "SCHEDULED"})


def step(tx: Tx, body: bytes, refused: frozenset[str]) -> Answer:
    """Takes a program event one step on."""
    asked = parsed(Lifecycle, body)
    stage, action = asked.event_external_identifier, asked.action
    try:
        need_not_refused(refused, stage)
        event = found(tx.records, stage)
        if action not in NEXT[event["status"]]:
            raise Refused(400, f"Program event {stage} is {event['status']}: {action} is not a next action")
    except Refused as no:
        return _refuse(tx, stage, action, no)
    reason = {"cancelReason": asked.cancel_reason} if asked.cancel_reason else {}
    return _take(tx, stage, action, event | reason | {"status": NEXT[event["status"]][action]})


def found(records: Records, stage: str) -> dict[str, Any]:
    """A program event that must be there.

    Raises:
        Refused: it is not.
    """
    event = records.get(KIND, stage)
    if event is None:
        raise Refused(404, f"There is no program event {stage}")
    return event


def show(records: Records, stage: str) -> dict[str, Any]:
    """What DACS tells of a program event."""
    names = ("externalIdentifier", "eventExternalIdentifier", "status", "startDateTime", "endDateTime")
    event = found(records, stage)
    return {name: event[name] for name in names}


def _take(tx: Tx, stage: str, action: str, event: dict[str, Any]) -> Answer:
    tx.records.keep(KIND, stage, event)
    tx.effects(KIND, [Effect(stage, stage, event["status"])])
    _remember(tx, stage, action, taken=True)
    return Answer(200, {"nextActions": list(NEXT[event["status"]])}, rows=1)


def _refuse(tx: Tx, stage: str, action: str, refused: Refused) -> Answer:
    """Answers with the refusal instead of raising it: the step that was asked for stays remembered."""
    _remember(tx, stage, action, taken=False)
    return refused.answer


def _remember(tx: Tx, stage: str, action: str, taken: bool) -> None:
    tx.records.keep(STEP, f"{stage}/{tx.seq:012}", {"step": action, "taken": taken})
