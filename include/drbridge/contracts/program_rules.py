"""Program rules: when and how often a program may call on its devices, from DACS to DERMS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from drbridge.contracts.fields import Count, Day, SyncRequestId, Text254, need_order
from drbridge.contracts.message import Body, Key, Member, Message, Moment, Part, entity_of, sent

MOST_RULES = 500
DayOfWeek = Literal["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"]
TimeOfDay = Annotated[str, StringConstraints(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$")]
"""Hours and minutes in the program's time zone, as in 14:30."""


class Rule(Member):
    """One rule; durations, rest and notice are in minutes. A window may reach over midnight."""

    rule_id: Key
    action: Literal["ASSOCIATE", "UPDATE", "DISASSOCIATE"]
    allow_event_days: Annotated[tuple[DayOfWeek, ...], Field(max_length=7)] = ()
    allow_holidays: Annotated[bool, Field(strict=True)] | None = None
    window_start: TimeOfDay | None = None
    window_end: TimeOfDay | None = None
    max_events_per_cycle: Count | None = None
    cycle_frequency: Literal["DAY", "WEEK", "MONTH", "SEASON", "YEAR"] | None = None
    min_duration_minutes: Count | None = None
    max_duration_minutes: Count | None = None
    min_rest_minutes: Count | None = None
    max_consecutive_days: Count | None = None
    max_overrides: Count | None = None
    notice_minutes: Count | None = None
    overridable: Annotated[bool, Field(strict=True)] | None = None
    effective_from: Day | None = None
    effective_to: Day | None = None

    @model_validator(mode="after")
    def _bounds_hold(self) -> Self:
        if (self.window_start is None) != (self.window_end is None):
            raise ValueError("windowStart and windowEnd go together")
        if self.max_events_per_cycle is not None and self.cycle_frequency is None:
            raise ValueError("maxEventsPerCycle needs cycleFrequency")
        shortest, longest = self.min_duration_minutes, self.max_duration_minutes
        if shortest is not None and longest is not None and shortest > longest:
            raise ValueError("minDurationMinutes is more than maxDurationMinutes")
        need_order(self.effective_from, self.effective_to, ("effectiveFrom", "effectiveTo"))
        return self


class ProgramRules(Message):
    """All rules of one program: DERMS may replace what it has (our definition; the payload is not published).

    changeDateTime is required: without it nobody could tell which of two messages about a program is the newer.
    """

    noun: ClassVar[str] = "program_rules"
    title: ClassVar[str] = "Program rules"
    numbered_by: ClassVar[str] = "sync_request_id"

    sync_request_id: SyncRequestId = Field(serialization_alias="dacsMessageId")
    change_date_time: Moment = Field(exclude=True)
    program_id: Key
    program_code: Text254 | None = None
    name: Text254 | None = None
    status: Literal["ACTIVE", "INACTIVE"] | None = None
    start_date: Day | None = None
    end_date: Day | None = None
    time_zone: Text254 | None = None
    rules: Annotated[tuple[Rule, ...], Field(max_length=MOST_RULES)]

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Self:
        need_order(self.start_date, self.end_date, ("startDate", "endDate"))
        return self

    @property
    def happened_at(self) -> datetime:
        return self.change_date_time

    def parts(self) -> Sequence[Part]:
        """One, about the program."""
        return (Part(entity_of("program", self.program_id), self.change_date_time),)


def to_derms_program(
    message: ProgramRules, allow_event_days: Mapping[str, str], cycle_frequency: Mapping[str, str]
) -> Body:
    """The body of DERMS's program service.

    Args:
        allow_event_days: DERMS's words for the days; what is not in it goes as it came.
        cycle_frequency: the same for how often.
    """
    body = sent(message)
    for rule in body["rules"]:
        if days := rule.get("allowEventDays"):
            rule["allowEventDays"] = [allow_event_days.get(day, day) for day in days]
        if cycle := rule.get("cycleFrequency"):
            rule["cycleFrequency"] = cycle_frequency.get(cycle, cycle)
    return body
