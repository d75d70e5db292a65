"""Stages through the ledger into DACS: in whatever order their messages come, DACS never hears an illegal step."""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Iterator, Sequence
from itertools import product, zip_longest
from pathlib import Path

import pytest

from drbridge.exchange.desk import Desk
from drbridge.exchange.send import send
from drbridge.exchange.work import Work
from drbridge_sandbox.sandbox import Sandbox
from tests.flows.conftest import run_until_killed
from tests.flows.stages import (
    CANCELED,
    COMPLETED,
    FLOW,
    IN_PROGRESS,
    LEGAL,
    SCHEDULED,
    STATUSES,
    Said,
    arrive,
    check,
    check_deadline,
    check_last_words,
    drain,
    free_the_lanes,
    parts,
    taken,
)
from tests.flows.test_trouble import with_endpoint

PROVE = bool(os.environ.get("DRBRIDGE_PROVE_STAGES"))
LONGEST = 5
LONGER_ONES = 1_280 if PROVE else 40
EVENTS = 300 if PROVE else 30
SEED = 20_260_714


def sequences() -> Iterator[tuple[str, ...]]:
    """All of up to three messages, and of the longer ones as many as there is time for: `make prove-stages` has all."""
    for length in range(1, 4):
        yield from product(STATUSES, repeat=length)
    longer = [each for length in (4, LONGEST) for each in product(STATUSES, repeat=length)]
    yield from random.Random(SEED).sample(longer, LONGER_ONES)


def told(name: str, statuses: Sequence[str], seconds: Sequence[int]) -> list[Said]:
    """A stage of an event of its own, its messages in the order in which they come."""
    return [
        Said(f"E{name}", f"S{name}", status, second, place)
        for place, (status, second) in enumerate(zip(statuses, seconds, strict=True))
    ]


def in_order() -> list[list[Said]]:
    return [told(str(number), each, range(len(each))) for number, each in enumerate(sequences())]


def shuffled() -> list[list[Said]]:
    dice = random.Random(SEED)
    return [
        told(f"{number}x", each, dice.sample(range(len(each)), len(each))) for number, each in enumerate(sequences())
    ]


def folded(statuses: Sequence[str]) -> list[str]:
    """The legal steps among messages that came in order."""
    steps: list[str] = []
    for status in statuses:
        if status in LEGAL.get(steps[-1] if steps else None, ()):
            steps.append(status)
    return steps


def test_every_sequence_one_message_after_the_other(desk: Desk, box: Sandbox) -> None:
    stages = [*in_order(), *shuffled()]
    for together in zip_longest(*stages):
        arrive(desk, filter(None, together))
        drain(desk)
    said = [each for stage in stages for each in stage]
    steps = check(desk, box, said)
    check_last_words(said, steps)
    for stage in in_order():
        assert steps.get(str(stage[0].stage), []) == folded([each.status for each in stage])
    check_deadline(desk, box)


def test_every_sequence_all_messages_at_once(desk: Desk, box: Sandbox) -> None:
    stages = shuffled()
    said = [each for stage in stages for each in stage]
    arrive(desk, said)
    drain(desk)
    steps = check(desk, box, said)
    check_last_words(said, steps)
    for stage in stages:
        in_time = sorted(stage, key=lambda each: each.second)
        assert steps.get(str(stage[0].stage), []) == folded([each.status for each in in_time])
    check_deadline(desk, box)


def two_stages(dice: random.Random, number: int) -> list[Said]:
    """One event, two stages, now and then the whole event cancelled; in the order in which the messages come."""
    event = f"T{number}"
    words: list[tuple[str | None, str]] = [(f"{event}{each}", SCHEDULED) for each in "ab"]
    words += [(f"{event}{dice.choice('ab')}", dice.choice(STATUSES)) for _ in range(dice.randint(1, 6))]
    words += [(None, CANCELED) for _ in range(dice.choice((0, 1, 1, 2)))]
    dice.shuffle(words)
    seconds = list(range(len(words)))
    if dice.random() < 0.7:
        dice.shuffle(seconds)
    return [
        Said(event, stage, status, second, place)
        for place, ((stage, status), second) in enumerate(zip(words, seconds, strict=True))
    ]


def check_cancelled_events(events: Sequence[Sequence[Said]], steps: dict[str, list[str]]) -> None:
    """No stage stays scheduled that was scheduled before its event was cancelled."""
    for said in events:
        cancelled = max((each.second for each in said if each.stage is None), default=-1)
        for stage in {each.stage for each in said if each.stage}:
            if steps.get(stage, [])[-1:] == [SCHEDULED]:
                scheduled = [each.second for each in said if (each.stage, each.status) == (stage, SCHEDULED)]
                assert max(scheduled) > cancelled, (stage, said)


def rounds(dice: random.Random, events: Sequence[Sequence[Said]]) -> Iterator[list[Said]]:
    """The messages in lots of a few of each event, as the inbox happens to get them."""
    left = [list(each) for each in events]
    while any(left):
        yield [each for said in left for each in [said.pop(0) for _ in range(min(len(said), dice.randint(0, 4)))]]


@pytest.mark.parametrize("fault", ["none", "status", "error_after", "drop_before", "drop_after"])
def test_two_stages_of_an_event_that_is_cancelled_at_any_moment(desk: Desk, box: Sandbox, fault: str) -> None:
    dice = random.Random(f"{SEED}{fault}")
    events = [two_stages(dice, number) for number in range(EVENTS)]
    for lot in rounds(dice, events):
        arrive(desk, lot)
        if fault != "none":
            box.far("dacs").fault(fault, times=dice.randint(1, 6))
        drain(desk)
    said = [each for event in events for each in event]
    steps = check(desk, box, said)
    check_cancelled_events(events, steps)
    assert {row.state for row in parts(desk)} >= {"ACKED", "SUPERSEDED"}
    box.far("dacs").no_faults()
    check_deadline(desk, box)


def one_stage(*statuses: str) -> list[Said]:
    return told("1", statuses, range(len(statuses)))


def test_a_stage_posted_late_is_not_begun_though_its_cancelled_event_was_not_worked_on_yet(
    desk: Desk, box: Sandbox
) -> None:
    arrive(desk, [Said("E", None, CANCELED, 9, 0)])
    arrive(desk, [Said("E", "late", SCHEDULED, 1, 1), Said("E", "after", SCHEDULED, 10, 2)])
    drain(desk)
    assert taken(box) == {}
    assert sorted((row.state, row.code) for row in parts(desk)) == [
        ("ACKED", "known"), ("REJECTED", "refused"), ("SUPERSEDED", "overtaken"),
    ]  # fmt: skip


def test_an_event_and_its_stages_posted_in_one_lot_are_cancelled_together(desk: Desk, box: Sandbox) -> None:
    arrive(desk, [Said("E", "a", SCHEDULED, 1, 0)])
    drain(desk)
    arrive(desk, [Said("E", "b", SCHEDULED, 2, 1), Said("E", None, CANCELED, 9, 2)])
    drain(desk)
    assert taken(box) == {"a": [SCHEDULED, CANCELED]}


def test_two_that_waited_for_one_message_go_one_after_the_other(desk: Desk, box: Sandbox) -> None:
    scheduled, *rest = one_stage(SCHEDULED, IN_PROGRESS, CANCELED)
    other = Said("E2", "S2", SCHEDULED, 0, 0)
    arrive(desk, [other, *rest])
    drain(desk)
    box.far("dacs").fault("slow", milliseconds=300, path="lifecycle")
    arrive(desk, [scheduled])
    drain(desk)
    assert taken(box)["S1"] == [SCHEDULED, IN_PROGRESS]


@pytest.mark.parametrize("fault", ["drop_after", "error_after"])
@pytest.mark.parametrize("statuses", [(SCHEDULED,), (SCHEDULED, IN_PROGRESS), (SCHEDULED, CANCELED)])
def test_a_lost_answer_and_then_nobody_there_the_step_is_asked_about_before_it_goes_again(
    desk: Desk, box: Sandbox, statuses: tuple[str, ...], fault: str
) -> None:
    *before, last = one_stage(*statuses)
    arrive(desk, before)
    drain(desk)
    arrive(desk, [last])
    box.far("dacs").fault(fault, times=1)
    with pytest.raises(AssertionError, match="still moves"):
        drain(desk, most_runs=1)
    box.far("dacs").down()
    with pytest.raises(AssertionError, match="still moves"):
        drain(desk, most_runs=1)
    box.far("dacs").up()
    drain(desk)
    assert taken(box) == {"S1": list(statuses)}
    assert parts(desk)[-1].code == "asked"


def test_a_step_that_stayed_in_doubt_is_asked_about_when_a_person_has_it_tried_again(desk: Desk, box: Sandbox) -> None:
    impatient = with_endpoint(desk, "dacs_program_event", max_tries=2)
    arrive(desk, one_stage(SCHEDULED))
    box.far("dacs").fault("drop_after", times=1)
    box.far("dacs").fault("status", status=500, path="programEvent/S1")
    for number in range(4):
        arrive(desk, [Said("E2", f"other{number}", SCHEDULED, number, number)])
        with contextlib.suppress(AssertionError):
            drain(impatient, most_runs=1)
    assert {row.code for row in parts(desk) if row.state == "PARKED"} == {"in_doubt"}
    box.far("dacs").no_faults()
    send(desk, FLOW, Work(run=f"{FLOW}/1", who="kim", resend="unknown", by_hand=True))
    assert taken(box)["S1"] == [SCHEDULED]
    assert {row.code for row in parts(desk)} == {"accepted", "asked"}


@pytest.mark.parametrize("statuses", [(SCHEDULED,), (SCHEDULED, IN_PROGRESS), (SCHEDULED, IN_PROGRESS, COMPLETED)])
def test_killed_between_send_and_note_the_step_is_asked_about_and_not_sent_again(
    desk: Desk, box: Sandbox, tmp_path: Path, statuses: tuple[str, ...]
) -> None:
    *before, last = one_stage(*statuses)
    arrive(desk, before)
    drain(desk)
    arrive(desk, [last])
    run_until_killed(box, tmp_path, FLOW, "send")
    free_the_lanes(desk)
    assert taken(box) == {"S1": list(statuses)}
    drain(desk)
    assert taken(box) == {"S1": list(statuses)}, "no second create, no second step"
    assert parts(desk)[-1].code == "asked"


def test_killed_before_a_decision_was_noted_it_is_decided_again_and_not_sent(
    desk: Desk, box: Sandbox, tmp_path: Path
) -> None:
    *before, refused = one_stage(SCHEDULED, IN_PROGRESS, CANCELED)
    arrive(desk, before)
    drain(desk)
    arrive(desk, [refused])
    run_until_killed(box, tmp_path, FLOW, "send")
    free_the_lanes(desk)
    drain(desk)
    assert taken(box) == {"S1": [SCHEDULED, IN_PROGRESS]}
    assert parts(desk)[-1].state == "REJECTED"
