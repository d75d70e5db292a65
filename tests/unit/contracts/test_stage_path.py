"""The path of a stage: whatever is sent, in whatever order it comes, only legal steps follow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import permutations, product

import pytest

from drbridge.contracts import stage_path
from drbridge.contracts.event_status import EventStatus
from drbridge.contracts.stage_path import Reached, Step, after, step

SCHEDULED, IN_PROGRESS, COMPLETED, CANCELED = STATUSES = ("SCHEDULED", "IN PROGRESS", "COMPLETED", "CANCELED")
LEGAL = {None: {SCHEDULED}, SCHEDULED: {IN_PROGRESS, CANCELED}, IN_PROGRESS: {COMPLETED}}
ENDS = {"send", "known", "overtaken", "refused"}
NOON = datetime(2026, 7, 14, 12, tzinfo=UTC)
LONGEST = 5

Arrivals = Sequence[tuple[str, int]]
"""Statuses in the order in which they come, each with the second at which it was sent."""


@cache
def message(status: str, second: int, *, hour: int = 18, stage: str | None = "1315") -> EventStatus:
    start, sent_at = NOON.replace(hour=hour), NOON + timedelta(seconds=second)
    return EventStatus.model_validate({
        "messageId": f"{status}-{second}-{hour}", "eventId": "9001", "stageId": stage, "stageStatus": status,
        "programId": "SUMMER", "eventType": "EMERGENCY", "startDateTime": start.isoformat(),
        "endDateTime": (start + timedelta(hours=2)).isoformat(), "sentAt": sent_at.isoformat(),
    })  # fmt: skip


def at(second: int) -> float:
    return (NOON + timedelta(seconds=second)).timestamp()


@dataclass
class Stage:
    """A stage whose messages come one by one; each is judged as the ledger has it judged."""

    reached: Reached | None = None
    sent: list[str] = field(default_factory=list)
    ended: dict[int, Step] = field(default_factory=dict)
    waiting: dict[int, EventStatus] = field(default_factory=dict)

    def come(self, number: int, arrived: EventStatus) -> None:
        moved = self._judge(number, arrived)
        while moved:  # those that wait are looked at again, the older first
            by_age = sorted(self.waiting, key=lambda each: (self.waiting[each].sent_at, each))
            moved = any(self._judge(each, self.waiting.pop(each)) for each in by_age)

    def _judge(self, number: int, told: EventStatus) -> bool:
        found = step(told, self.reached, None)
        if found.kind == "wait":
            self.waiting[number] = told
            return False
        self.ended[number] = found
        if found.kind == "send":
            self.reached = after(told, self.reached)
            self.sent.append(told.stage_status)
        return found.kind == "send"


def played(arrivals: Arrivals) -> Stage:
    stage = Stage()
    for number, (status, second) in enumerate(arrivals):
        stage.come(number, message(status, second))
    return stage


def every_sequence(longest: int) -> Iterator[tuple[str, ...]]:
    for length in range(1, longest + 1):
        yield from product(STATUSES, repeat=length)


def check(arrivals: Arrivals, stage: Stage) -> None:
    """Only legal steps went, everything has its end or waits, and the last word wins where it may."""
    state = None
    for sent in stage.sent:
        assert sent in LEGAL.get(state, ()), (arrivals, stage.sent)
        state = sent
    assert stage.ended.keys() | stage.waiting.keys() == set(range(len(arrivals))), arrivals
    assert all(end.kind in ENDS and (end.why or end.kind == "send") for end in stage.ended.values()), arrivals
    assert not stage.waiting or state in (None, SCHEDULED), "only what comes later than its predecessor may wait"
    last = max(range(len(arrivals)), key=lambda number: (arrivals[number][1], number))
    assert arrivals[last][0] not in LEGAL.get(state, ()), (arrivals, stage.sent)


def folded(statuses: Iterable[str]) -> str | None:
    """Where a stage is after messages that came in order: each legal step is taken, nothing else."""
    state = None
    for status in statuses:
        state = status if status in LEGAL.get(state, ()) else state
    return state


def test_every_sequence_in_order_ends_where_its_legal_steps_lead() -> None:
    count = 0
    for statuses in every_sequence(LONGEST):
        stage = played([(status, second) for second, status in enumerate(statuses)])
        assert (stage.sent[-1] if stage.sent else None) == folded(statuses), statuses
        count += 1
    assert count == 1_364


def test_every_sequence_in_every_order_of_arrival_takes_legal_steps_only() -> None:
    for statuses in every_sequence(LONGEST):
        for seconds in permutations(range(len(statuses))):
            arrivals = tuple(zip(statuses, seconds, strict=True))
            check(arrivals, played(arrivals))


def test_messages_sent_in_the_same_second_take_legal_steps_only() -> None:
    for statuses in every_sequence(LONGEST - 1):
        for seconds in product(range(len(statuses)), repeat=len(statuses)):
            if len(set(seconds)) < len(seconds):
                arrivals = tuple(zip(statuses, seconds, strict=True))
                check(arrivals, played(arrivals))


@pytest.mark.parametrize(
    ("status", "second", "reached", "kind"),
    [
        (SCHEDULED, 5, None, "send"), (IN_PROGRESS, 5, None, "wait"), (COMPLETED, 5, None, "wait"),
        (CANCELED, 5, None, "wait"),
        (SCHEDULED, 5, SCHEDULED, "known"), (IN_PROGRESS, 5, SCHEDULED, "send"), (CANCELED, 5, SCHEDULED, "send"),
        (COMPLETED, 5, SCHEDULED, "wait"), (IN_PROGRESS, 1, SCHEDULED, "overtaken"),
        (SCHEDULED, 5, IN_PROGRESS, "known"), (COMPLETED, 5, IN_PROGRESS, "send"),
        (CANCELED, 5, IN_PROGRESS, "refused"), (CANCELED, 1, IN_PROGRESS, "overtaken"),
        (IN_PROGRESS, 5, COMPLETED, "known"), (CANCELED, 5, COMPLETED, "refused"),
        (CANCELED, 5, CANCELED, "known"), (SCHEDULED, 5, CANCELED, "refused"), (SCHEDULED, 1, CANCELED, "overtaken"),
        (IN_PROGRESS, 5, CANCELED, "refused"),
    ],
)  # fmt: skip
def test_what_a_message_means_for_a_stage_that_came_so_far_by_one_of_second_3(
    status: str, second: int, reached: str | None, kind: str
) -> None:
    there = None
    if reached is not None:
        there = after(message(reached, 3), after(message(SCHEDULED, 0), None))
    assert step(message(status, second), there, None).kind == kind


@pytest.mark.parametrize(
    ("second", "kind"), [(5, "doubt"), (1, "overtaken")], ids=["newer than what is there", "older than what is there"]
)
@pytest.mark.parametrize("reached", [SCHEDULED, IN_PROGRESS, COMPLETED])
def test_scheduled_with_other_times_leaves_the_decision_to_a_person(reached: str, second: int, kind: str) -> None:
    there = after(message(SCHEDULED, 0), None)
    there = there if reached == SCHEDULED else after(message(reached, 3), there)
    if reached == SCHEDULED:
        there = after(message(SCHEDULED, 3), None)
    assert step(message(SCHEDULED, second, hour=19), there, None).kind == kind


@pytest.mark.parametrize(
    ("second", "kind"), [(2, "overtaken"), (3, "overtaken"), (4, "refused")], ids=["before", "same second", "after"]
)
@pytest.mark.parametrize("status", STATUSES)
def test_nothing_begins_of_an_event_that_is_cancelled(status: str, second: int, kind: str) -> None:
    assert step(message(status, second), None, at(3)).kind == kind


@pytest.mark.parametrize(
    ("reached", "kind"),
    [(None, "overtaken"), (SCHEDULED, "send"), (IN_PROGRESS, "overtaken"), (COMPLETED, "overtaken"),
     (CANCELED, "known")],
)  # fmt: skip
def test_a_cancelled_event_takes_scheduled_stages_with_it_and_no_others(reached: str | None, kind: str) -> None:
    there = None if reached is None else after(message(reached, 3), after(message(SCHEDULED, 0), None))
    assert step(message(CANCELED, 5, stage=None), there, at(5)).kind == kind


def test_the_rules_do_not_depend_on_the_order_in_which_they_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    sequences = [[(status, second) for second, status in enumerate(each)] for each in every_sequence(4)]
    before = [played(each).sent for each in sequences]
    for name in ("NEXT", "BEHIND"):
        monkeypatch.setattr(stage_path, name, dict(reversed(getattr(stage_path, name).items())))
    assert [played(each).sent for each in sequences] == before


def test_how_far_a_stage_has_come_is_kept_as_text() -> None:
    there = after(message(IN_PROGRESS, 3), after(message(SCHEDULED, 0), None))
    assert Reached.from_text(there.as_text()) == there
    assert (there.starts, there.ends) == ("2026-07-14T18:00:00Z", "2026-07-14T20:00:00Z")
