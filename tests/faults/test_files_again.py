"""Cleared tasks, retries and backfills that overlap: nothing of what is settled goes again, what is open goes once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import func, select

from drbridge.exchange.desk import Desk
from drbridge.exchange.relay import relay
from drbridge.exchange.send import send
from drbridge.exchange.take import take
from drbridge.exchange.work import Work
from drbridge.ledger.tables import attempts
from drbridge_sandbox.sandbox import Sandbox
from tests.faults.ways import TAKEN, Way, arrived, balances, intakes_of, states, time_passes
from tests.flows.outsides import Unplugged

DAYS = (11, 12, 13)


def of_day(way: Way, day: int) -> tuple[str, bytes]:
    """A file whose business date is that day of July."""
    data = way.data(day)
    if way == TAKEN:
        return f"SDCSE_00{day}_00.csv", data.replace(b"2026-07-13T", f"2026-07-{day}T".encode())
    return f"ENROLL_SYNC_202607{day}T040000Z_00{day}.csv", data


def backfill(first: int, last: int) -> Work:
    since, until = (datetime(2026, 7, day, tzinfo=UTC) for day in (first, last))
    return Work(
        run=f"flow/backfill {first}-{last}", since=since, until=until, by_hand=True, settled_too=True, who="kim"
    )


def tries(desk: Desk, outcome: str = "%") -> int:
    """How often anything was sent, and ended so."""
    with desk.ledger.read() as tx:
        counted = select(func.count()).select_from(attempts).where(attempts.c.outcome.like(outcome))
        return int(tx.execute(counted).scalar_one())


def overlapping(desk: Desk, way: Way) -> None:
    """Two backfills that share a day, at once, each by a worker of its own."""
    works = [backfill(11, 13), backfill(12, 14)]
    desks = [replace(desk, worker=f"worker {number}") for number in range(2)]
    with ThreadPoolExecutor(2) as workers:
        running = [workers.submit(states, each, way, work) for each, work in zip(desks, works, strict=True)]
    for each in running:
        each.result()


def came_once(desk: Desk, box: Sandbox, way: Way) -> bool:
    if way.arrived:
        return arrived(box, way) == dict(of_day(way, day) for day in DAYS)
    effects = box.far("derms").effects_of("device_score")
    return len(effects) == sum(DAYS) and {each["effects"] for each in effects.values()} == {1}


def test_overlapping_backfills_of_settled_days_send_nothing(desk: Desk, box: Sandbox, way: Way) -> None:
    for name, data in (of_day(way, day) for day in DAYS):
        box.drop(way.url, name, data)
    assert set(states(desk, way).values()) == {"settled"}
    before = tries(desk)
    for _ in range(2):
        overlapping(desk, way)
    assert tries(desk) == before
    assert came_once(desk, box, way)


def test_overlapping_backfills_make_their_days_whole_once(desk: Desk, box: Sandbox, way: Way) -> None:
    """One day is settled, one is open since the other side was down, one was never looked at."""
    files = dict(of_day(way, day) for day in DAYS)
    (first, second, third) = files
    box.drop(way.url, first, files[first])
    assert states(desk, way) == {first: "settled"}
    box.far("derms").down()
    box.drop(way.url, second, files[second])
    down = replace(desk, outside=Unplugged(desk.outside, way.arrived))
    assert states(down, way, Work()) == {second: "open"}
    box.far("derms").up()
    box.drop(way.url, third, files[third])
    overlapping(desk, way)
    time_passes(desk)
    overlapping(desk, way)
    assert came_once(desk, box, way)
    assert set(box.files(way.url)) == {f"Sent-{name}" for name in files}
    assert tries(desk, "ACKED") == len(files)
    assert balances(desk)


@pytest.mark.parametrize("cleared", ["before its archive", "after its archive"])
def test_a_cleared_run_sends_nothing_of_what_is_settled(desk: Desk, box: Sandbox, way: Way, cleared: str) -> None:
    box.drop(way.url, way.name, way.data(3))
    carry(desk, way)
    if cleared == "after its archive":
        assert states(desk, way) == {way.name: "settled"}
    before = tries(desk)
    for _ in range(2):
        carry(desk, way)
    states(desk, way)
    assert tries(desk) == before == 1
    assert intakes_of(desk) == 1


def carry(desk: Desk, way: Way) -> None:
    """The tasks of a run up to its archive."""
    if way.arrived:
        relay(desk, way.flow, way.name, Work())
    else:
        take(desk, way.flow, way.name)
    send(desk, way.flow, Work())
