"""Stages of DR events as the DERMS tells of them, and what DACS was asked for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Row, select, update

from drbridge.exchange.accept import Post, accept, read
from drbridge.exchange.desk import Desk
from drbridge.exchange.send import send
from drbridge.exchange.work import Work
from drbridge.ledger import deliveries as book
from drbridge.ledger.parcels import WAITS
from drbridge.ledger.tables import deliveries, intakes, leases, messages, parcels, targets
from drbridge_sandbox.sandbox import Sandbox

FLOW = "derms_dacs_event_status"
SCHEDULED, IN_PROGRESS, COMPLETED, CANCELED = STATUSES = ("SCHEDULED", "IN PROGRESS", "COMPLETED", "CANCELED")
LEGAL = {None: {SCHEDULED}, SCHEDULED: {IN_PROGRESS, CANCELED}, IN_PROGRESS: {COMPLETED}}
STEPS = {"create": SCHEDULED, "X1IP": IN_PROGRESS, "F1CO": COMPLETED, "F1CN": CANCELED}
ENDED = {"ACKED", "SUPERSEDED", "REJECTED", "PARKED"}
NOON = datetime(2026, 7, 14, 12, tzinfo=UTC)
PAST_THE_DEADLINE_SECONDS = 16 * 60.0
MOST_RUNS = 60


@dataclass(frozen=True)
class Said:
    """One message of the DERMS.

    Attributes:
        stage: None: the whole event.
        second: after noon, when it was sent.
        place: among all messages of its event.
    """

    event: str
    stage: str | None
    status: str
    second: int
    place: int

    @property
    def number(self) -> str:
        return f"{self.event}-{self.place}"

    def post(self) -> Post:
        data: dict[str, Any] = {
            "messageId": self.number, "eventId": self.event, "stageId": self.stage, "stageStatus": self.status,
            "programId": "SUMMER-TSTAT", "eventType": "EMERGENCY", "startDateTime": "2026-07-14T18:00:00Z",
            "endDateTime": "2026-07-14T20:00:00Z", "sentAt": (NOON + timedelta(seconds=self.second)).isoformat(),
        }  # fmt: skip
        return read("event_status", data, "derms")


def arrive(desk: Desk, said: Iterable[Said]) -> None:
    """The inbox stores them, in this order."""
    assert all(receipt.is_new for receipt in accept(desk, [each.post() for each in said]))


def drain(desk: Desk, most_runs: int = MOST_RUNS) -> None:
    """Runs of the flow until nothing may go any more; waiting times that an outage left behind pass at once."""
    for _ in range(most_runs):
        if not send(desk, FLOW, Work(by_hand=True)).open_left:
            return
        with desk.ledger.write() as tx:
            tx.execute(update(targets).values(open_until=0.0, not_before=0.0))
    raise AssertionError(f"something still moves after {most_runs} runs")


def a_quarter_of_an_hour_passes(desk: Desk) -> None:
    with desk.ledger.write() as tx:
        earlier = deliveries.c.opened_at - PAST_THE_DEADLINE_SECONDS
        tx.execute(update(deliveries).values(opened_at=earlier))
        tx.execute(update(parcels).values(next_at=parcels.c.next_at - PAST_THE_DEADLINE_SECONDS))


def free_the_lanes(desk: Desk) -> None:
    """The lease of a killed worker runs out."""
    with desk.ledger.write() as tx:
        tx.execute(update(leases).values(expires_at=0.0))


def parts(desk: Desk) -> list[Row[Any]]:
    """Every request that messages became, with the number of its message."""
    look = select(parcels, messages.c.number, deliveries.c.opened_at).join_from(parcels, deliveries).join(intakes)
    with desk.ledger.read() as tx:
        return list(tx.execute(look.join(messages).where(deliveries.c.flow == FLOW, deliveries.c.destination !=
                                                         "derms_acks")))  # fmt: skip


def taken(box: Sandbox) -> dict[str, list[str]]:
    """The statuses that DACS took of each stage, in order. Not one step that it was asked for was refused."""
    steps: dict[str, list[str]] = defaultdict(list)
    for key, each in box.far("dacs").records("program_event_step").items():
        stage = key.rpartition("/")[0]
        assert each["taken"], f"DACS was asked for {each['step']} of {stage} after {steps[stage]}, and refused"
        steps[stage].append(STEPS[each["step"]])
    return steps


def check(desk: Desk, box: Sandbox, said: Sequence[Said]) -> dict[str, list[str]]:
    """Only legal steps went, none twice; everything has an end with a reason or a deadline; the books balance."""
    steps = taken(box)
    for stage, each in steps.items():
        for before, status in zip([None, *each], each, strict=False):
            assert status in LEGAL.get(before, ()), f"{stage}: {each}"
    rows = parts(desk)
    assert {row.number for row in rows} == {each.post().number for each in said}
    for row in rows:
        waits = row.state == "PENDING" and row.code == WAITS and 0 < row.next_at - row.opened_at <= 901
        assert row.state in ENDED or waits, (row.state, row.code, row.text)
        assert row.text or row.code == "accepted", (row.state, row.code)
    with desk.ledger.read() as tx:
        ids = tx.execute(select(deliveries.c.id)).scalars().all()
        assert all(balance.balances for balance in book.balances(tx, ids).values())
    return steps


def check_last_words(said: Iterable[Said], steps: dict[str, list[str]]) -> None:
    """The newest message about a stage has its way, unless no legal step leads there."""
    newest: dict[str, Said] = {}
    for each in said:
        if each.stage is not None and (each.stage not in newest or newest[each.stage].second < each.second):
            newest[each.stage] = each
    for stage, last in newest.items():
        state = steps[stage][-1] if steps.get(stage) else None
        assert last.status not in LEGAL.get(state, ()), (stage, last, steps.get(stage))


def check_deadline(desk: Desk, box: Sandbox) -> None:
    """What waits for its predecessor is parked after a quarter of an hour, without a call."""
    before = taken(box)
    waiting = {row.id for row in parts(desk) if row.state == "PENDING"}
    a_quarter_of_an_hour_passes(desk)
    drain(desk)
    rows = parts(desk)
    assert {row.state for row in rows} <= ENDED
    assert all(row.state in ("PARKED", "SUPERSEDED", "REJECTED") for row in rows if row.id in waiting)
    assert all("within 15 minutes" in row.text for row in rows if row.id in waiting and row.state == "PARKED")
    assert taken(box) == before
