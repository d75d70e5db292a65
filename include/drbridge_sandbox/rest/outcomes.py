"""How devices took part in an event, as DACS takes it: a list for one or several stages."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from drbridge_sandbox.rest.answers import Answer
from drbridge_sandbox.rest.bodies import Strict, Text50, Text100, Text120, UtcTime, need_none, parsed, parsed_items
from drbridge_sandbox.rest.memory import Effect, Tx

OUTCOME_PATH = "/rest/apis/cross/service/programEventParticipation/postEventOutcome"
MOST_OUTCOMES = 1000


class Outcome(Strict):
    """How one device took part in one event."""

    event_external_identifier: Text120
    head_end_system: Text50
    nic_id: Text100
    outcome: Literal["D1SP", "D1IO", "D1ND", "D1ER", "D1CN"]
    error_message: Annotated[str, Field(max_length=100)] | None = None
    participation_start_date_time: UtcTime | None = None
    participation_end_date_time: UtcTime | None = None

    @model_validator(mode="after")
    def _has_times(self) -> Self:
        start, end = self.participation_start_date_time, self.participation_end_date_time
        if self.outcome in ("D1SP", "D1IO") and not (start and end):
            raise ValueError(f"{self.outcome} needs the start and end of the participation")
        if start and end and end < start:
            raise ValueError("the participation ends before it starts")
        return self

    @property
    def key(self) -> str:
        return f"{self.event_external_identifier}/{self.head_end_system}/{self.nic_id}"

    @property
    def effect(self) -> Effect:
        times = [at.strftime("%Y-%m-%dT%H:%M:%SZ") if at else "" for at in (
            self.participation_start_date_time, self.participation_end_date_time)]  # fmt: skip
        return Effect(self.key, self.key, "|".join([self.outcome, *times, self.error_message or ""]))


class PostOutcome(Strict):
    """A list of outcomes; each is checked on its own. Release 23A names the event once for all of them."""

    event_external_identifier: Text120 | None = None
    post_outcome_list: list[dict[str, Any]] = Field(min_length=1)

    @model_validator(mode="after")
    def _name_the_event_once(self) -> Self:
        if self.event_external_identifier and any("eventExternalIdentifier" in each for each in self.post_outcome_list):
            raise ValueError("eventExternalIdentifier is given for the list and for an item")
        return self

    @property
    def items(self) -> list[dict[str, Any]]:
        if self.event_external_identifier is None:
            return self.post_outcome_list
        return [{"eventExternalIdentifier": self.event_external_identifier} | each for each in self.post_outcome_list]


def post_outcomes(tx: Tx, body: bytes, refused: frozenset[str]) -> Answer:
    """Notes a list of outcomes, or nothing when one of them is wrong."""
    outcomes = parsed_items(Outcome, parsed(PostOutcome, body).items, "key", MOST_OUTCOMES)
    need_none([f"{each.key} is refused" for each in outcomes if each.key in refused or each.nic_id in refused])
    tx.effects("event_outcome", (each.effect for each in outcomes))
    return Answer(200, {"processed": len(outcomes)}, rows=len(outcomes))
