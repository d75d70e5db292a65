"""Rows of enrollment files that OUAI has not acknowledged in time (guide 23C: it answers by files of its own)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import polars as pl
from sqlalchemy import Row, select

from drbridge.contracts import enrollment_ack, enrollment_sync
from drbridge.exchange.answered import file_key, note_file
from drbridge.exchange.desk import Desk
from drbridge.exchange.findings import Finding, named
from drbridge.ledger import standings
from drbridge.ledger.database import Tx, clock
from drbridge.ledger.states import DeliveryState
from drbridge.ledger.tables import deliveries, intakes
from drbridge.systems import Flow

REQUEST, LOAD_FLAG, NOT_ANSWERED = "syncRequestId", "initialLoadFlag", "F1IL"
ASKS, ANSWERS = enrollment_sync.CONTRACT.noun, enrollment_ack.CONTRACT.noun
CHASE = "ask OUAI what became of them, and have it lay down an acknowledgement file for these requests"


def overdue(desk: Desk, within: Callable[[Flow], timedelta], listed_for: timedelta) -> list[Finding]:
    """Files of which a row has no acknowledgement in time; rows of an initial load expect none."""
    flows = [flow for flow in desk.systems.flows.values() if desk.systems.is_on(flow)]
    if not any(ANSWERS in flow.prefixes.values() for flow in flows):
        return []
    with desk.ledger.read() as tx:
        asking = [flow for flow in flows if ASKS in flow.prefixes.values()]
        late = [row for flow in asking for row in _delivered(tx, flow, within(flow), listed_for)]
        answers = _answers(desk, tx, min(row.taken_at for row in late)) if late else _ids([])
    return [finding for row in late if (finding := _look(desk, row, answers))]


def _delivered(tx: Tx, flow: Flow, within: timedelta, listed_for: timedelta) -> Sequence[Row[Any]]:
    """Files whose time is over, without those that are answered in full."""
    now = clock(tx)
    look = (
        select(deliveries.c.flow, deliveries.c.destination, deliveries.c.verdict, deliveries.c.ended_at, intakes)
        .join_from(deliveries, intakes)
        .where(
            deliveries.c.flow == flow.name,
            deliveries.c.destination.in_(flow.deliver),
            deliveries.c.state == DeliveryState.DONE,
            deliveries.c.ended_at < now - within.total_seconds(),
            deliveries.c.ended_at > now - (within + listed_for).total_seconds(),
            intakes.c.noun == ASKS,
        )
        .order_by(deliveries.c.id)
    )
    rows = tx.execute(look).all()
    known = standings.of(tx, [file_key(row.id) for row in rows])
    return [row for row in rows if file_key(row.id) not in known]


def _look(desk: Desk, row: Row[Any], answers: pl.Series) -> Finding | None:
    """What is missing of a file; one that is answered in full is noted, and not looked into again."""
    asked = _requests(desk, row)
    missing = asked.filter(~asked.is_in(answers.implode()))
    if missing.is_empty():
        with desk.ledger.write() as tx:
            note_file(tx, row.id, row.ended_at)
        return None
    what = f"{row.name}: no acknowledgement of {missing.len()} of {asked.len()} requests: {named(missing.to_list())}"
    return Finding(f"{row.flow} > {row.destination}", what, CHASE)


def _requests(desk: Desk, row: Row[Any]) -> pl.Series:
    """The requests of a file that expect an answer; none when what was staged of it is gone."""
    staged = desk.staging.open(row.noun, row.sha256, row.verdict)
    if staged is None:
        return _ids([])
    frames = [frame for _, frame in staged.frames("", columns=[REQUEST, LOAD_FLAG])]
    return _ids([frame.filter(pl.col(LOAD_FLAG) != NOT_ANSWERED)[REQUEST] for frame in frames])


def _answers(desk: Desk, tx: Tx, since: float) -> pl.Series:
    """Every request that an acknowledgement file which came since then speaks of."""
    look = select(intakes.c.noun, intakes.c.sha256, deliveries.c.verdict).join_from(deliveries, intakes).distinct()
    found = []
    for row in tx.execute(look.where(intakes.c.noun == ANSWERS, intakes.c.taken_at >= since)):
        if staged := desk.staging.open(row.noun, row.sha256, row.verdict):
            found += [frame[REQUEST] for _, frame in staged.frames("", columns=[REQUEST])]
    return _ids(found)


def _ids(found: list[pl.Series]) -> pl.Series:
    return pl.concat([pl.Series(REQUEST, [], dtype=pl.String), *found])
