"""Event outcomes: what each device did in each stage of an event, from DERMS to DACS and to OUAI."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

import polars as pl

from drbridge.contracts.contract import Contract, Dated, Warn, stamp_in
from drbridge.contracts.kinds import Code, Instant, LongText, Text
from drbridge.contracts.problems import Flaw
from drbridge.contracts.rows import Row, column, in_order, in_utc

OUTCOMES = {
    "SUCCESS": "D1SP", "OVERRIDE": "D1IO", "NON_RESPONSIVE": "D1ND",
    "REJECTED": "D1ER", "ERROR": "D1ER", "CANCELLED": "D1CN",
}  # fmt: skip
TOOK_PART = ("SUCCESS", "OVERRIDE")
LONGEST_MESSAGE = 100
TIMES = ("participationStartDateTime", "participationEndDateTime")


class EventOutcome(Row):
    """What one device did in one stage of an event."""

    record_id: Annotated[str, Text(30)] | None = column("recordId", "the sender's number of the row", required=False)
    event_id: Annotated[str, Text(120)] = column("eventId", "the event")
    stage_id: Annotated[str, Text(120)] = column(
        "stageId", "the stage of the event", rule="unique with headEndSystemId and nicId"
    )
    program_id: Annotated[str, Text(120)] = column("programId", "the program")
    service_point_id: Annotated[str, Text(12)] | None = column(
        "servicePointId", "where the device is connected", required=False
    )
    nic_id: Annotated[str, Text(100)] = column("nicId", "the device's network card")
    head_end_system_id: Annotated[str, Text(50)] = column("headEndSystemId", "the system that talks to the device")
    outcome: Annotated[str, Code(*OUTCOMES)] = column("outcome", "what the device did")
    starts_at: Annotated[datetime, Instant()] | None = column(
        TIMES[0], "when it began to take part", rule="required for SUCCESS and OVERRIDE", required=False
    )
    ends_at: Annotated[datetime, Instant()] | None = column(
        TIMES[1], "when it stopped", rule="required for SUCCESS and OVERRIDE; not before the start", required=False
    )
    error_message: Annotated[str, LongText(LONGEST_MESSAGE)] | None = column(
        "errorMessage", "why it failed", required=False
    )

    def flaws(self, now: datetime) -> Iterator[Flaw]:
        for name, moment in zip(TIMES, (self.starts_at, self.ends_at), strict=True):
            if moment is None and self.outcome in TOOK_PART:
                yield Flaw(name, "missing", f"{self.outcome} needs the time of participation")
        if self.starts_at is not None and self.ends_at is not None and self.ends_at < self.starts_at:
            yield Flaw(TIMES[1], "end_before_start", f"{TIMES[1]} is before {TIMES[0]}")

    @classmethod
    def sure_rules(cls, present: Collection[str], now: datetime) -> list[pl.Expr]:
        idle = ~pl.col("outcome").is_in(list(TOOK_PART))
        if not set(TIMES) <= set(present):
            return [idle]
        start, end = map(pl.col, TIMES)
        neither_or_one = start.is_null() | end.is_null()
        return [(idle & neither_or_one) | (~neither_or_one & in_order(start, end))]


def to_post_outcome(fields: Mapping[str, str | None], event_key: Literal["stage", "event"]) -> dict[str, Any]:
    """An accepted row as an item of Post Event Outcome.

    Args:
        event_key: which id the program event is known by at the other side.
    """
    outcome = OUTCOMES[fields["outcome"] or ""]
    item: dict[str, Any] = {
        "eventExternalIdentifier": fields["stageId" if event_key == "stage" else "eventId"],
        "headEndSystem": fields["headEndSystemId"],
        "nicId": fields["nicId"],
        "outcome": outcome,
    }
    item |= {name: in_utc(text) for name in TIMES if (text := fields.get(name))}
    if (message := fields.get("errorMessage")) and outcome != "D1SP":
        item["errorMessage"] = message[:LONGEST_MESSAGE]
    return item


def to_post_outcome_list(
    rows: Iterable[Mapping[str, str | None]], event_key: Literal["stage", "event"]
) -> dict[str, Any]:
    """The body of Post Event Outcome for accepted rows."""
    return {"postOutcomeList": [to_post_outcome(fields, event_key) for fields in rows]}


def to_post_outcome_of_event(fields: Mapping[str, str | None], event_key: Literal["stage", "event"]) -> dict[str, Any]:
    """The body of Post Event Outcome as release 23A takes it: the event at the root, and one row a call."""
    item = to_post_outcome(fields, event_key)
    return {"eventExternalIdentifier": item.pop("eventExternalIdentifier"), "postOutcomeList": [item]}


CONTRACT = Contract(
    noun="event_outcome",
    title="Event outcomes",
    prefixes=("EVENT_OUTCOME",),
    model=EventOutcome,
    key=("stageId", "headEndSystemId", "nicId"),
    dated=Dated("participationStartDateTime", "earliest"),
    date_in_name=stamp_in,
    warnings=(
        Warn(
            "cut", f"longer than {LONGEST_MESSAGE} characters; it is sent cut to {LONGEST_MESSAGE}",
            ("errorMessage",), pl.col("errorMessage").str.len_chars() > LONGEST_MESSAGE,
        ),
    ),
    empty_is_refused=True,
)  # fmt: skip
