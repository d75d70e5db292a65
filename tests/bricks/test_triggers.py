"""What runs in the triggerer: it finds files, wakes once, and survives what networks do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from airflow.triggers.base import TriggerEvent

from drbridge.adapters.outside import ConnectionsOutside
from drbridge.systems import load
from drbridge_airflow.triggers.arrivals import (
    FIRST_REPEAT_SECONDS,
    LONGEST_REPEAT_SECONDS,
    LOOK_EVERY_SECONDS,
    Arrivals,
    Fired,
    back_off,
    look_every,
)
from drbridge_airflow.triggers.files_quiet import LONGEST_WAIT_SECONDS, FilesQuiet
from drbridge_sandbox.sandbox import Sandbox
from tests.bricks.files import SCORE_FLOW, SCORES, scores

NAME = "SDCSE_0042_00.csv"


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The places that were opened, in order."""
    found: list[str] = []
    real = ConnectionsOutside.store

    def store(self: ConnectionsOutside, url: str) -> Any:
        found.append(url)
        return real(self, url)

    monkeypatch.setattr(ConnectionsOutside, "store", store)
    monkeypatch.setenv("DRBRIDGE_LOOK_SECONDS", "0.2")
    return found


@asynccontextmanager
async def watching(flow: str) -> AsyncIterator[asyncio.Queue[TriggerEvent]]:
    """The events of a flow's watcher, as they come."""
    events: asyncio.Queue[TriggerEvent] = asyncio.Queue()

    async def watch() -> None:
        async for event in Arrivals(flow).run():
            await events.put(event)

    task = asyncio.create_task(watch())
    try:
        yield events
        assert not task.done(), "a watcher must never end"
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def nothing_comes(events: asyncio.Queue[TriggerEvent], seconds: float) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(events.get(), seconds)


@pytest.mark.parametrize("source", [SCORES, "s3://dacs_objects/dacs/outgoing/scores"])
def test_an_arrival_wakes_its_flow_once_over_one_connection(
    source: str, box: Sandbox, opened: list[str], configure: Callable[..., None]
) -> None:
    configure(**{SCORES: source})
    place = box.place(source)
    for name in place.names():
        place.remove(name)

    async def scenario() -> None:
        async with watching(SCORE_FLOW) as events:
            await nothing_comes(events, 0.5)
            box.drop(source, NAME, scores())
            event = await asyncio.wait_for(events.get(), 10)
            assert event.payload == {"flow": SCORE_FLOW, "waiting": 1, "files": [NAME]}
            await nothing_comes(events, 1.0)
            box.drop(source, "SDCSE_0043_00.csv", scores(4))
            event = await asyncio.wait_for(events.get(), 10)
            assert event.payload["files"] == ["SDCSE_0043_00.csv"]

    asyncio.run(scenario())
    assert opened == [source]


def test_a_watcher_survives_a_dead_server_and_finds_what_came_meanwhile(
    box: Sandbox, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drbridge_airflow.triggers.arrivals.back_off", lambda failures: 0.3)

    async def scenario() -> None:
        async with watching(SCORE_FLOW) as events:
            await nothing_comes(events, 0.5)
            box.servers["dacs"].stop()
            await nothing_comes(events, 1.0)
            box.drop(SCORES, NAME, scores())
            box.servers["dacs"].start()
            event = await asyncio.wait_for(events.get(), 20)
            assert event.payload["files"] == [NAME]

    asyncio.run(scenario())


def test_a_watcher_of_a_flow_that_is_switched_off_opens_nothing(
    box: Sandbox, opened: list[str], monkeypatch: pytest.MonkeyPatch, configure: Callable[..., None]
) -> None:
    monkeypatch.setenv("DRBRIDGE_PROFILE", "26.4")
    configure()

    async def scenario() -> None:
        async with watching("ouai_dacs_kwh_avoided") as events:
            await nothing_comes(events, 1.0)

    asyncio.run(scenario())
    assert opened == []


def test_a_file_that_still_waits_is_told_again_ever_less_often() -> None:
    fired = Fired()
    assert fired.due(["a"], 0) == ["a"]
    assert fired.due(["a"], FIRST_REPEAT_SECONDS - 1) == []
    assert fired.due(["a", "b"], FIRST_REPEAT_SECONDS) == ["a", "b"]
    assert fired.due(["a"], 2 * FIRST_REPEAT_SECONDS) == []
    now, told = 0.0, 0
    while now < 48 * 3600:
        told += bool(fired.due(["c"], now))
        now += 10
    assert told <= 48 * 3600 / LONGEST_REPEAT_SECONDS + 5
    assert fired.due([], now) == []
    assert fired.due(["c"], now + 1) == ["c"]


def test_failures_make_a_watcher_look_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DRBRIDGE_LOOK_SECONDS", raising=False)
    assert all(1 <= back_off(failures) <= 120 for failures in (1, 2, 5, 1000) for _ in range(50))


def test_triggers_are_kept_as_plain_values() -> None:
    from airflow.serialization.serialized_objects import BaseSerialization

    path, arguments = Arrivals(SCORE_FLOW).serialize()
    assert (path, arguments) == ("drbridge_airflow.triggers.arrivals.Arrivals", {"flow": SCORE_FLOW})
    path, arguments = FilesQuiet(SCORE_FLOW, {"file": None}).serialize()
    assert path == "drbridge_airflow.triggers.files_quiet.FilesQuiet"
    assert FilesQuiet(**arguments).work == {"file": None}
    assert BaseSerialization.deserialize(BaseSerialization.serialize(arguments)) == arguments


def test_waiting_for_an_upload_ends_when_the_file_is_whole(
    box: Sandbox, opened: list[str], configure: Callable[..., None]
) -> None:
    configure(**{"quiet_seconds = 0": "quiet_seconds = 1"})
    box.drop(SCORES, NAME, scores())
    started = time.monotonic()

    async def scenario() -> list[TriggerEvent]:
        return [event async for event in FilesQuiet(SCORE_FLOW, {}).run()]

    assert len(asyncio.run(scenario())) == 1
    assert time.monotonic() - started < LONGEST_WAIT_SECONDS / 2
    assert opened == [load().flows[SCORE_FLOW].source]


@pytest.mark.parametrize("text", ["ten", "0", "-1", "nan", "inf", "10s"])
def test_a_pause_that_is_no_number_is_told_and_left(
    text: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("DRBRIDGE_LOOK_SECONDS", text)
    assert look_every() == LOOK_EVERY_SECONDS
    assert f"DRBRIDGE_LOOK_SECONDS is {text}" in caplog.text
