"""A whole day of messages through the inbox: the far side ends as its own prediction says, and every book balances."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import httpx
import pytest

from drbridge.exchange import aggregators
from drbridge.exchange.desk import Desk
from drbridge.exchange.recount import recount
from drbridge.exchange.send import answer, send
from drbridge.inbox.app import create
from drbridge.inbox.callers import Caller
from drbridge.ledger import deliveries
from drbridge.ledger.states import SETTLED
from drbridge_sandbox.day import Act, Inbox, compare, make_day, make_messages
from drbridge_sandbox.day.batch import knows_customers
from drbridge_sandbox.day.made import CUSTOMERS
from drbridge_sandbox.day.posting import PUBLISHED
from drbridge_sandbox.sandbox import Sandbox
from tests.flows.chain import NOW, run

DAY = date(2026, 7, 14)


class Anybody:
    """Lets everybody in."""

    async def who(self, authorization: str) -> Caller | None:
        return Caller("derms")

    async def may_send(self, caller: Caller, flow: str) -> bool:
        return True


def carry(desk: Desk) -> None:
    """Every flow that has something to carry, once."""
    for flow in desk.systems.flows.values():
        if flow.message:
            send(desk, flow.name, NOW)
            answer(desk, flow.name, NOW)
        elif "inbox://" in flow.source:
            run(desk, flow.name)


def test_messages_of_a_day_end_as_predicted(desk: Desk, box: Sandbox, tmp_path: Path) -> None:
    day = make_day(5, 300, DAY, tmp_path / "day")
    messages = make_messages(day)
    day.drop_into(box, [CUSTOMERS])
    for flow in ("ccs_dacs_customers", "ccs_derms_customers"):
        for _ in range(3):
            run(desk, flow)
    assert knows_customers(box, day)
    inside = httpx.ASGITransport(create(lambda: desk, Anybody(), published=True), root_path=PUBLISHED.rstrip("/"))
    inbox = Inbox("http://inbox", "derms", "secret", inside, wait_seconds=0)
    for act in messages.acts:
        play(act, inbox, desk, box)
    assert [str(each) for each in compare(messages.prediction, box, alone=False)] == []
    assert_books(desk, {name: messages.book_of(name) or {} for act in messages.acts for name in act.books})
    assert recount(desk)[1] == []


def play(act: Act, inbox: Inbox, desk: Desk, box: Sandbox) -> None:
    act.prepare(box)
    aggregators.compare(desk)
    inbox.post(act.posts)
    carry(desk)
    assert [str(each) for each in compare(act.prediction, box, alone=False)] == [], act.title
    act.end(box)


def assert_books(desk: Desk, expected: dict[str, dict[str, int]]) -> None:
    with desk.ledger.read() as tx:
        rows = tx.execute(deliveries.with_intakes()).all()
        books = deliveries.balances(tx, [row.id for row in rows])
    assert all(row.state in SETTLED for row in rows)
    assert all(book.balances and not book.open and not book.parked for book in books.values())
    for noun, ends in expected.items():
        mine = [
            books[row.id] for row in rows
            if row.noun == noun and row.destination in desk.systems.flow(row.flow).deliver
        ]  # fmt: skip
        found = {name: sum(getattr(each, name) for each in mine) for name in ends}
        assert found == dict(ends), noun


@pytest.fixture(autouse=True)
def _no_lingering(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drbridge.exchange.send.LINGER_SECONDS", 0.0)
