"""The rules of a program as DACS tells the DERMS of them: always the whole list, which replaces the one before."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from drbridge_sandbox.rest.bodies import IsoDate, Strict, Text14, Text30, Text60, Text254, UtcTime, parsed
from drbridge_sandbox.rest.memory import Effect, Tx
from drbridge_sandbox.rest.msg_ack import Verdict
from drbridge_sandbox.rest.records import Records

KIND = "program"
Count = Annotated[int, Field(ge=0)]
ClockTime = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
Weekday = Literal["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"]


class Rule(Strict):
    """When, how often and how long an event may be."""

    rule_id: Text60
    action: Literal["ASSOCIATE", "UPDATE", "DISASSOCIATE"]
    allow_event_days: list[Weekday] | None = None
    allow_holidays: bool | None = None
    window_start: ClockTime | None = None
    window_end: ClockTime | None = None
    max_events_per_cycle: Count | None = None
    cycle_frequency: Literal["DAY", "WEEK", "MONTH", "SEASON", "YEAR"] | None = None
    min_duration_minutes: Count | None = None
    max_duration_minutes: Count | None = None
    min_rest_minutes: Count | None = None
    max_consecutive_days: Count | None = None
    max_overrides: Count | None = None
    notice_minutes: Count | None = None
    overridable: bool | None = None
    effective_from: IsoDate | UtcTime | None = None
    effective_to: IsoDate | UtcTime | None = None

    @model_validator(mode="after")
    def _shortest_is_not_longer_than_longest(self) -> Self:
        shortest, longest = self.min_duration_minutes, self.max_duration_minutes
        if shortest is not None and longest is not None and shortest > longest:
            raise ValueError("minDurationMinutes is greater than maxDurationMinutes")
        return self


class ProgramRules(Strict):
    """A program with all its rules."""

    dacs_message_id: Text14
    program_id: Text14
    program_code: Text30
    name: Text254 | None = None
    status: Text30 | None = None
    start_date: IsoDate | UtcTime | None = None
    end_date: IsoDate | UtcTime | None = None
    time_zone: Text60 | None = None
    rules: list[Rule]


def take(tx: Tx, body: bytes, refused: frozenset[str]) -> Verdict:
    """Replaces the rules of a program."""
    program = parsed(ProgramRules, body)
    if not refused.isdisjoint((program.dacs_message_id, program.program_id)):
        return Verdict(program.dacs_message_id, f"Program {program.program_id} is refused")
    names = [each.rule_id for each in program.rules]
    if len(set(names)) != len(names):
        return Verdict(program.dacs_message_id, f"Program {program.program_id} has a rule twice")
    tx.records.keep(KIND, program.program_id, program.record)
    value = "|".join(f"{each.action} {each.rule_id}" for each in program.rules)
    tx.effects("program_rules", [Effect(program.dacs_message_id, program.program_id, value)])
    return Verdict(program.dacs_message_id)


def list_of(records: Records) -> dict[str, Any]:
    """The programs the DERMS knows, with the rules that are in effect."""
    return {"programs": [
        program | {"rules": [rule for rule in program["rules"] if rule["action"] != "DISASSOCIATE"]}
        for program in records.all(KIND).values()
    ]}  # fmt: skip
