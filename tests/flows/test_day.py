"""A whole day with planted faults: the far side ends as its own prediction says, and every book balances."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from drbridge.exchange.desk import Desk
from drbridge.exchange.recount import recount
from drbridge.ledger import deliveries
from drbridge.ledger.states import SETTLED
from drbridge_sandbox.day import compare, make_day
from drbridge_sandbox.sandbox import Sandbox
from tests.flows.chain import run


def test_a_day_ends_as_predicted(desk: Desk, box: Sandbox, tmp_path: Path) -> None:
    day = make_day(20260714, 600, date(2026, 7, 14), tmp_path / "day")
    day.drop_into(box)
    for _ in range(3):
        for flow in desk.systems.flows:
            run(desk, flow)
    assert [str(difference) for difference in compare(day.prediction, box)] == []
    with desk.ledger.read() as tx:
        rows = tx.execute(deliveries.with_intakes()).all()
        books = deliveries.balances(tx, [row.id for row in rows])
    assert all(row.state in SETTLED for row in rows)
    assert all(book.balances and not book.open and not book.parked for book in books.values())
    assert recount(desk)[1] == []
