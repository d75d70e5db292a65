"""The exam of the message flows: the same questions for each, on real REST servers."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update

from drbridge.adapters.outside import ConnectionsOutside
from drbridge.errors import Misconfigured
from drbridge.exchange.accept import accept, read
from drbridge.exchange.desk import Desk
from drbridge.exchange.send import answer, send
from drbridge.exchange.tally import SendResult
from drbridge.exchange.work import Work
from drbridge.ledger import deliveries
from drbridge.ledger.database import clock
from drbridge.ledger.deliveries import Balance
from drbridge.ledger.states import ParcelState
from drbridge.ledger.tables import attempts, leases, targets
from drbridge.ports import Connection
from drbridge.systems import Systems
from drbridge_sandbox.sandbox import Sandbox
from tests.flows.cases import time_passes
from tests.flows.chain import NOW
from tests.flows.conftest import connection_of, desk_of, run_until_killed
from tests.flows.message_cases import CASES, OTHER_NUMBER, Case

OLDER, NEWER = "2026-07-14T00:00:00Z", "2026-07-15T12:00:00Z"


@dataclass
class Exam:
    """One flow of messages in front of its servers."""

    case: Case
    desk: Desk
    box: Sandbox

    def arrive(self, number: str = "", moment: str = "") -> bool:
        """A message comes in; says whether it is new."""
        (receipt,) = accept(self.desk, [read(self.case.noun, self.case.message(number, moment), "sender")])
        assert not receipt.is_other
        return receipt.is_new

    def run(self, work: Work = NOW) -> SendResult:
        sent = send(self.desk, self.case.flow, work)
        answered = answer(self.desk, self.case.flow, work)
        assert answered.open_left == 0
        return sent

    def calls(self) -> int:
        return sum(self.box.far(system).calls() for system in ("dacs", "derms", "ccs"))

    def book(self) -> Balance:
        """What became of all that came, without the answers; it always balances."""
        flow = self.desk.systems.flow(self.case.flow)
        with self.desk.ledger.read() as tx:
            rows = tx.execute(deliveries.with_intakes(flow=flow.name)).all()
            found = deliveries.balances(tx, [row.id for row in rows if row.destination in flow.deliver]).values()
        assert all(each.balances for each in found)
        return Balance(**{name: sum(getattr(each, name) for each in found) for name in Balance.__slots__})

    def changes(self) -> list[int]:
        """How often each request of the message took effect."""
        found = [self.box.far(each.system).effect(each.noun, each.key) for each in self.case.effects]
        return [each["effects"] if each else 0 for each in found]

    def told(self) -> str:
        """What the sender was told; empty when nothing."""
        place = self.case.answer
        effect = self.box.far(place.system).effect(place.noun, place.key) if place else None
        assert effect is None or effect["effects"] == 1, "told once"
        return str(effect["value"]) if effect else ""

    def assert_delivered_once(self) -> None:
        book = self.book()
        assert book.acked == book.rows == len(self.case.effects)
        assert self.changes() == [1] * len(self.case.effects)
        assert self.told() == self.case.answers[0]

    def without_answer(self) -> int:
        """How many calls got none."""
        lost = select(func.count()).where(attempts.c.outcome == ParcelState.UNKNOWN)
        with self.desk.ledger.read() as tx:
            return tx.execute(lost).scalar_one()

    def free_the_lanes(self) -> None:
        """The leases of the killed worker run out."""
        with self.desk.ledger.write() as tx:
            tx.execute(update(leases).values(expires_at=0.0))


@pytest.fixture(params=[pytest.param(each, id=str(each)) for each in CASES])
def exam(request: pytest.FixtureRequest, desk: Desk, box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Exam]:
    monkeypatch.setattr("drbridge.exchange.send.LINGER_SECONDS", 0.0)
    request.param.prepare(box)
    return Exam(request.param, desk, box)


ORDERED = [pytest.param(each, id=str(each)) for each in CASES if each.moment]


def test_is_delivered_once_and_its_sender_answered(exam: Exam) -> None:
    assert exam.arrive()
    exam.run()
    exam.assert_delivered_once()


def test_the_same_again_makes_no_call(exam: Exam) -> None:
    exam.arrive()
    exam.run()
    calls = exam.calls()
    assert not exam.arrive()
    exam.run()
    assert exam.calls() == calls > 0


def test_503_for_longer_than_all_tries_then_back_is_delivered_once(exam: Exam) -> None:
    exam.arrive()
    exam.box.far(exam.case.far).fault("status", status=503)
    (endpoint,) = exam.desk.systems.flow(exam.case.flow).deliver
    for _ in range(exam.desk.systems.endpoints[endpoint].max_tries + 1):
        assert exam.run().open_left == len(exam.case.effects)
    exam.box.far(exam.case.far).no_faults()
    exam.run()
    exam.assert_delivered_once()


@pytest.mark.parametrize("fault", ["drop_before", "drop_after"])
def test_answer_lost_before_or_after_the_far_side_acted_takes_effect_once(exam: Exam, fault: str) -> None:
    exam.arrive()
    exam.box.far(exam.case.far).fault(fault, times=1)
    exam.run()
    exam.run()
    assert exam.without_answer() == 1
    exam.assert_delivered_once()


def test_killed_between_send_and_note_takes_effect_once(exam: Exam, tmp_path: Path) -> None:
    exam.arrive()
    run_until_killed(exam.box, tmp_path, exam.case.flow, "send")
    assert exam.box.far(exam.case.far).calls() > 0, "it was killed before it sent anything"
    exam.free_the_lanes()
    exam.run()
    exam.assert_delivered_once()


def test_429_is_left_alone_for_as_long_as_it_asks(exam: Exam) -> None:
    exam.arrive()
    exam.box.far(exam.case.far).fault("status", status=429, retry_after=70, times=1)
    exam.run()
    with exam.desk.ledger.read() as tx:
        (seconds,) = tx.execute(select(targets.c.not_before - clock(tx)).where(targets.c.not_before > 0)).scalars()
    assert 60.0 < seconds <= 70.0
    calls = exam.calls()
    assert exam.run(Work()).sent == 0
    assert exam.calls() == calls
    time_passes(exam.desk)
    exam.run(Work())
    exam.assert_delivered_once()


def test_business_refusal_is_rejected_and_the_answer_says_so(exam: Exam) -> None:
    exam.arrive()
    exam.box.far(exam.case.far).fault("reject_keys", keys=[exam.case.refused])
    result = exam.run()
    book = exam.book()
    assert (book.rejected, book.acked) == (1, len(exam.case.effects) - 1)
    assert exam.told() == exam.case.answers[1]
    assert "REJECTED" in result.troubles[0]


def test_wrong_login_stops_and_loses_nothing(exam: Exam) -> None:
    exam.arrive()
    right = exam.desk

    def wrong(conn_id: str) -> Connection:
        return replace(connection_of(exam.box, conn_id), password="forgotten")

    exam.desk = replace(right, outside=ConnectionsOutside(wrong))
    with pytest.raises(Misconfigured):
        exam.run()
    assert exam.book().open == len(exam.case.effects)
    exam.desk = right
    exam.run()
    exam.assert_delivered_once()


@pytest.mark.parametrize("exam", ORDERED, indirect=True)
def test_older_after_newer_is_superseded_without_a_call(exam: Exam) -> None:
    exam.arrive(OTHER_NUMBER, NEWER)
    exam.run()
    calls = exam.box.far(exam.case.far).calls()
    exam.arrive()
    exam.run()
    assert exam.box.far(exam.case.far).calls() == calls
    assert (exam.book().acked, exam.book().superseded) == (1, 1)
    assert exam.changes() == [0]
    assert exam.told() == exam.case.answers[0], "overtaken is no error"


@pytest.mark.parametrize("exam", ORDERED, indirect=True)
def test_newer_after_older_goes_after_it(exam: Exam) -> None:
    exam.arrive(OTHER_NUMBER, NEWER)
    exam.arrive()
    exam.run()
    assert exam.book().acked == 2
    assert exam.changes() == [1]
    assert exam.box.far(exam.case.far).counts()["effects"][exam.case.effects[0].noun]["late"] == 0


def test_two_workers_at_once_deliver_once(exam: Exam, systems: Systems, tmp_path: Path) -> None:
    exam.arrive()
    exam.box.far(exam.case.far).fault("slow", milliseconds=150)
    desks = [exam.desk, desk_of(exam.box, systems, tmp_path)]

    def work(desk: Desk) -> Any:
        return Exam(exam.case, desk, exam.box).run()

    with ThreadPoolExecutor(2) as both:
        found = list(both.map(work, desks))
    desks[1].ledger.close()
    assert sum(each.sent for each in found) == len(exam.case.effects)
    exam.run()
    exam.assert_delivered_once()
