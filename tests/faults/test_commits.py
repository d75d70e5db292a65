"""A database that dies at a bad moment: a commit of which nobody knows, and a ledger that is gone for a while."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, make_url, text

from drbridge.errors import Unreachable
from drbridge.exchange.accept import accept, read
from drbridge.exchange.desk import Desk
from drbridge.exchange.resume import due_flows
from drbridge.exchange.send import send
from drbridge.exchange.sender import Sender
from drbridge.exchange.work import Work
from drbridge.ledger.database import Ledger
from drbridge.ledger.schema import upgrade
from drbridge.ledger.tables import messages, metadata
from drbridge_sandbox.sandbox import Sandbox
from tests.faults.proxy import Cut, Fault, Proxy, proxied
from tests.faults.sending import CHANGES, ENROLL, changed_once, free_the_lanes, post_changes, states
from tests.flows.test_message_order import change
from tests.flows.test_trouble import with_endpoint
from tests.inbox.serving import STATUS, served, status

LOST = {"the commit": Fault(up=Cut("rst")), "its reply": Fault(down=Cut("rst"))}


@pytest.fixture(autouse=True)
def _no_lingering(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drbridge.exchange.send.LINGER_SECONDS", 0.0)


@pytest.fixture
def line(postgres_url: str) -> Iterator[Proxy]:
    """The line to PostgreSQL."""
    with proxied("127.0.0.1", make_url(postgres_url).port or 0) as proxy:
        yield proxy


@pytest.fixture
def desk(desk: Desk, line: Proxy, postgres_url: str) -> Iterator[Desk]:
    """The desk, its ledger on PostgreSQL behind that line."""
    direct, behind = Ledger(postgres_url), make_url(postgres_url).set(port=line.port)
    upgrade(direct)
    ledger = Ledger(behind.render_as_string(hide_password=False))
    yield replace(desk, ledger=ledger)
    ledger.close()
    with direct.write() as tx:
        tx.execute(text(f"TRUNCATE {', '.join(metadata.tables)} RESTART IDENTITY CASCADE"))
    direct.close()


def break_the_next_commit(desk: Desk, line: Proxy, what: str) -> None:
    def cut(_connection: Any) -> None:
        line.fault = LOST[what]

    event.listen(desk.ledger.engine, "commit", cut, once=True)


@pytest.mark.parametrize("lost", LOST)
@pytest.mark.parametrize(("step", "calls"), [("before the wire", 0), ("after the wire", 1)])
def test_a_commit_of_which_nobody_knows_sends_nothing_twice(
    desk: Desk, box: Sandbox, line: Proxy, monkeypatch: pytest.MonkeyPatch, step: str, calls: int, lost: str
) -> None:
    post_changes(desk, 3)
    turn, breaks = Sender._turn, [lambda: break_the_next_commit(desk, line, lost)]

    def broken_turn(self: Sender, done: list[Any], room: int, busy: bool) -> Any:
        if breaks and (step == "before the wire" or done):
            breaks.pop()()
        return turn(self, done, room, busy)

    monkeypatch.setattr(Sender, "_turn", broken_turn)
    with pytest.raises(Unreachable):
        send(desk, CHANGES, Work())
    assert (line.cuts, box.far("derms").calls("enroll")) == (1, calls)
    send(desk, CHANGES, Work())
    assert states(desk) == {"ACKED": 3}
    assert changed_once(box.far("derms"), "enrollment_sync") == 3
    sent_again = calls == 1 and lost == "the commit"
    assert box.far("derms").calls("enroll") == 3 + sent_again, "under its old key, which the target knows"
    assert box.far("derms").counts()["replayed"] == sent_again


@pytest.mark.parametrize("lost", LOST)
def test_a_message_whose_commit_nobody_knows_of_is_posted_again_and_goes_once(
    desk: Desk, box: Sandbox, line: Proxy, tmp_path: Path, lost: str
) -> None:
    with served(desk, tmp_path) as inbox:
        assert inbox.client.get("/drbridge/health").status_code == 200
        break_the_next_commit(desk, line, lost)
        told = inbox.post(STATUS, status())
        assert (told.status_code, line.cuts) == (503, 1)
        assert inbox.count(messages) == (lost == "its reply")
        again = inbox.post(STATUS, status())
        assert again.status_code == 202
        assert inbox.post(STATUS, status()).json() == again.json()
        assert inbox.count(messages) == 1


def test_two_callers_learn_the_truth_when_the_commit_they_shared_was_lost(desk: Desk, line: Proxy) -> None:
    posts = [read("enrollment_change", change(number, "2026-07-14T08:00:00Z"), "dacs") for number in ("11", "12")]
    break_the_next_commit(desk, line, "its reply")
    with pytest.raises(Unreachable):
        accept(desk, posts)
    assert [(each.is_new, each.is_other) for each in accept(desk, posts)] == [(False, False)] * 2


def test_a_ledger_that_is_gone_in_the_middle_of_a_send_and_back_loses_nothing(
    desk: Desk, box: Sandbox, line: Proxy
) -> None:
    desk, far = with_endpoint(desk, ENROLL, in_flight=8), box.far("derms")
    post_changes(desk, 60)
    far.fault("slow", milliseconds=50)
    with ThreadPoolExecutor(1) as other:
        running = other.submit(send, desk, CHANGES, Work())
        while far.calls("enroll") < 20:
            time.sleep(0.01)
        line.fault = Fault(refuses=True)
        line.drop()
        with pytest.raises(Unreachable):
            running.result()
    line.fault = Fault()
    far.no_faults()
    assert states(desk)["IN_FLIGHT"] > 0
    free_the_lanes(desk)
    assert CHANGES in dict(due_flows(desk)), "it goes on without a hand"
    send(desk, CHANGES, Work())
    assert states(desk) == {"ACKED": 60}
    assert changed_once(far, "enrollment_sync") == 60
