"""What watches the inbox in the triggerer: it wakes a flow for its messages, not for ever, and survives the ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from drbridge.errors import Unreachable
from drbridge.exchange import mail
from drbridge.exchange.accept import accept, read
from drbridge_airflow.desk import desk_for_worker
from drbridge_airflow.triggers import arrivals
from drbridge_airflow.triggers import mail as post
from drbridge_sandbox.sandbox import Sandbox
from tests.bricks.test_triggers import nothing_comes, watching
from tests.unit.contracts.messages import good

FLOW, OTHER = "dacs_derms_event_opt_out", "dacs_derms_unavailability"


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A post office of this test's own, that looks ten times as often."""
    post._post_office.cache_clear()
    monkeypatch.setattr(post, "FRESH_SECONDS", 0.05)
    monkeypatch.setattr(post, "SHY_SECONDS", 0.3)
    monkeypatch.setattr(arrivals, "MAIL_EVERY_SECONDS", 0.1)
    monkeypatch.setattr(arrivals, "MAIL_REPEAT_SECONDS", 0.5)
    yield
    post._post_office.cache_clear()


def arrives() -> None:
    accept(desk_for_worker(), [read("event_opt_out", good("event_opt_out"), "dacs")])


def test_a_message_wakes_its_own_flow_alone(box: Sandbox) -> None:
    async def scene() -> None:
        async with watching(FLOW) as events, watching(OTHER) as others:
            await nothing_comes(events, 0.5)
            arrives()
            assert (await asyncio.wait_for(events.get(), 5)).payload == {"flow": FLOW, "waiting": "messages"}
            await nothing_comes(others, 0.3)

    asyncio.run(scene())


def test_a_flow_whose_runs_all_fail_is_woken_ever_less_often(box: Sandbox) -> None:
    async def scene() -> int:
        async with watching(FLOW) as events:
            arrives()
            await asyncio.sleep(5)
            return events.qsize()

    assert 2 <= asyncio.run(scene()) <= 4, "at 0, 0.5, 1.5 and 3.5 seconds"


def test_a_watcher_of_messages_survives_a_ledger_that_is_down(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    arrives()
    looks: list[int] = []
    real = mail.lanes_with_mail

    def down_at_first(desk: object) -> dict[str, str]:
        looks.append(1)
        if len(looks) < 3:
            raise Unreachable("The ledger's database does not answer")
        return real(desk)  # type: ignore[arg-type]

    monkeypatch.setattr(mail, "lanes_with_mail", down_at_first)

    async def scene() -> None:
        async with watching(FLOW) as events:
            await asyncio.sleep(0.5)
            assert len(looks) <= 3, "it must not ask a ledger that is down at every turn"
            assert (await asyncio.wait_for(events.get(), 5)).payload["flow"] == FLOW

    asyncio.run(scene())


def test_answers_that_wait_keep_no_message_from_waking_the_flow() -> None:
    fired = arrivals.Fired(10.0, 120.0)
    assert [fired.due(["answers"], now) for now in (0.0, 5.0, 10.0, 15.0)] == [["answers"], [], ["answers"], []]
    assert fired.due(["answers", "messages"], 16.0) == ["messages"]
    assert fired.due(["answers"], 17.0) == [], "the messages are being sent"
    assert fired.due(["answers", "messages"], 18.0) == ["messages"], "more came, and nobody sends them now"
