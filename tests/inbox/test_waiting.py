"""Callers may wait for their result in the same call; their waiting costs no thread."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import active_count
from typing import Any

import httpx
import pytest

from drbridge.inbox.paths import PUBLISHED_PREFIX
from drbridge.inbox.reading import Limits
from drbridge.ledger.database import Ledger
from drbridge.ledger.tables import deliveries
from tests.inbox.serving import DERMS, NARROW, OUTCOME_FILE, STATUS, Inbox, desk_of, served, signed_in, status
from tests.inbox.test_refusals import problem
from tests.unit.contracts.messages import sample

AT_ONCE = f"{PUBLISHED_PREFIX}/OUTL-BA-DRMS_DACS_ENROLLRQ/1.0/enroll-to-dacs"


def while_it_waits(inbox: Inbox, call: Any, act: Any) -> httpx.Response:
    """Makes a call in another thread, and something happen while its message is stored and it waits for the result."""
    with ThreadPoolExecutor(1) as caller:
        answer = caller.submit(call)
        while not inbox.count(deliveries):
            time.sleep(0.05)
        time.sleep(0.3)
        assert not answer.done()
        act()
        told: httpx.Response = answer.result(10)
    return told


def test_the_result_comes_while_the_caller_waits(inbox: Inbox) -> None:
    told = while_it_waits(inbox, lambda: inbox.post(STATUS, status(), Prefer="wait=60"), inbox.settle)
    assert told.status_code == 200
    assert told.json()["state"] == "settled"
    assert told.json()["MsgAck"]["ackType"] == "SUCCESS"


def test_time_up_is_202_and_the_result_is_there_later(inbox: Inbox) -> None:
    started = time.monotonic()
    told = inbox.post(STATUS, status(), Prefer="respond-async, wait=1")
    assert (told.status_code, told.json()["state"]) == (202, "stored")
    assert 1 <= time.monotonic() - started < 4
    where = told.headers["location"]
    assert inbox.client.get(where).json()["state"] == "under way"
    inbox.settle()
    assert inbox.client.get(where).json()["MsgAck"]["ackType"] == "SUCCESS"
    again = inbox.post(STATUS, status(), Prefer="wait=1")
    assert (again.status_code, again.json()["MsgAck"]["ackType"]) == (200, "SUCCESS")
    assert inbox.post(STATUS, status()).status_code == 202, "who does not wait is told the same as before"


def test_a_question_for_a_message_may_wait_too(inbox: Inbox) -> None:
    where = inbox.post(STATUS, status()).headers["location"]
    told = while_it_waits(inbox, lambda: inbox.client.get(where, headers={"Prefer": "wait=60"}), inbox.settle)
    assert told.json()["state"] == "settled"


def test_the_door_whose_callers_expect_the_result_waits_unasked(ledger: Ledger, tmp_path: Path) -> None:
    data = sample("enrollment_request")
    with served(desk_of(ledger, tmp_path), tmp_path, Limits(wait_seconds=1)) as impatient:
        assert impatient.post(AT_ONCE, data).status_code == 202
        assert impatient.post("/drbridge/enrollment-requests", data, Prefer="wait=0").status_code == 202
    with served(desk_of(ledger, tmp_path), tmp_path) as inbox:
        told = while_it_waits(inbox, lambda: inbox.post(AT_ONCE, data), inbox.settle)
        assert told.status_code == 200
        answers = told.json()["MsgAck"]["responses"]
        assert [each["id"] for each in answers] == ["1", "2"], "in the order of the requests"
        assert inbox.post(AT_ONCE, data, Prefer="wait=0").status_code == 202


@pytest.mark.parametrize("prefer", ["wait", "wait=", "wait=-5", "wait=x", "await=60", "wait=99999", "return=minimal",
                                    'foo="wait=60"', "wait=٣"])  # fmt: skip
def test_a_preference_that_is_none_is_passed_over(door: Inbox, prefer: str) -> None:
    started = time.monotonic()
    headers = [(b"Prefer", prefer.encode()), (b"Content-Type", b"application/json")]
    answer = door.client.post(STATUS, json=status(prefer), headers=headers)
    assert answer.status_code == 202
    assert time.monotonic() - started < 1.5


def test_two_hundred_callers_wait_with_a_handful_of_threads(inbox: Inbox) -> None:
    before = active_count()

    async def wait_all() -> list[httpx.Response]:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(
            base_url=inbox.url, auth=DERMS, timeout=60, limits=limits, trust_env=False
        ) as client:
            await client.post(STATUS, json=status("first"))
            calls = [
                asyncio.create_task(client.post(STATUS, json=status(str(number)), headers={"Prefer": "wait=60"}))
                for number in range(200)
            ]
            while inbox.count(deliveries) <= len(calls):
                await asyncio.sleep(0.1)
            assert not any(call.done() for call in calls)
            assert active_count() - before < 20
            reply = await client.get("/drbridge/health")
            assert reply.elapsed.total_seconds() < 1
            await asyncio.to_thread(inbox.settle)
            return list(await asyncio.gather(*calls))

    assert {answer.status_code for answer in asyncio.run(wait_all())} == {200}


def test_a_caller_that_hangs_up_while_it_waits_leaves_nothing_behind(inbox: Inbox) -> None:
    with pytest.raises(httpx.ReadTimeout), signed_in(inbox.url) as client:
        client.post(STATUS, json=status(), headers={"Prefer": "wait=2"}, timeout=0.5)
    time.sleep(2)
    assert inbox.client.get("/drbridge/health").status_code == 200
    assert inbox.post(STATUS, status()).status_code == 202


def test_only_who_may_give_work_to_its_flow_may_ask_for_a_message(inbox: Inbox) -> None:
    of_a_message = inbox.post(STATUS, status()).headers["location"]
    of_a_file = inbox.post_file("/drbridge/event-outcomes", OUTCOME_FILE.name, OUTCOME_FILE.read_bytes())
    own = inbox.post("/drbridge/event-opt-outs", sample("event_opt_out")).headers["location"]
    with signed_in(inbox.url, NARROW) as narrow:
        problem(narrow.get(of_a_message), 403)
        problem(narrow.get(of_a_file.headers["location"]), 403)
        assert narrow.get(own).status_code == 200
