"""The books added up anew, without what the ledger says of them: from what was staged, tried, and is at other systems.

What came of a parcel is what its last try brought. Only what ended without a call (by rule, or by a person) is taken
from the parcel itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import polars as pl
from sqlalchemy import Row, func, select

from drbridge.exchange import reached, stored
from drbridge.exchange.books import Period
from drbridge.exchange.cutting import live_rows
from drbridge.exchange.desk import Desk
from drbridge.exchange.findings import Finding
from drbridge.exchange.operations import operation_of
from drbridge.exchange.seal import opened
from drbridge.exchange.staging import StagedFile, view_of
from drbridge.ledger import deliveries, messages, parcels
from drbridge.ledger.database import Tx
from drbridge.ledger.deliveries import Balance
from drbridge.ledger.messages import SOURCE
from drbridge.ledger.states import MOVING, DeliveryState, ParcelState
from drbridge.ledger.tables import attempts
from drbridge.ledger.tables import deliveries as table
from drbridge.ledger.tables import parcels as parcels_table
from drbridge.systems import Store

AT_ONCE = 500
REPLACED = (ParcelState.SPLIT, ParcelState.RESENT)
ENDED = (ParcelState.ACKED, ParcelState.REJECTED)
WITHOUT_CALL = ("known", "refused", "overtaken", "later", "asked", "told", "refused_by_person")
FOREVER = Period(0.0, 1e12)
REPORT = "this must not happen: keep the ledger as it is, and report it with `drbridge ledger show` of this delivery"


def recount(desk: Desk, flow: str | None = None) -> tuple[int, list[Finding]]:
    """Adds up every delivery anew and looks at the other systems: how many there are, and what does not agree.

    Raises:
        RetryLater: another system cannot be reached.
    """
    found: list[Finding] = []
    with desk.ledger.read() as tx:
        every = tx.execute(deliveries.with_intakes(flow=flow).order_by(None).order_by(table.c.id)).all()
        for start in range(0, len(every), AT_ONCE):
            rows = every[start : start + AT_ONCE]
            kept, tries = deliveries.balances(tx, [row.id for row in rows]), _last_tries(tx, [row.id for row in rows])
            found += [each for row in rows for each in _compared(desk, tx, row, kept[row.id], tries)]
    return len(every), found + _far_side(desk, flow)


def _compared(desk: Desk, tx: Tx, row: Row[Any], kept: Balance, tries: dict[int, str]) -> Iterator[Finding]:
    live = [each for each in parcels.of_delivery(tx, row.id) if each.state not in REPLACED]
    ends = {each.id: _end(each, tries.get(each.id)) for each in live}
    for each in live:
        if ends[each.id] != each.state:
            what = f"rows {each.first_row}-{each.last_row} are {each.state}, their last try says {ends[each.id]}"
            yield _finding(row, what)
    anew = _added_up(desk, tx, row, live, ends)
    if anew is None:
        return
    said = {name: (count, asdict(kept)[name]) for name, count in asdict(anew).items() if count != asdict(kept)[name]}
    if said:
        yield _finding(row, ", ".join(f"{name} {there}, not {ours}" for name, (there, ours) in said.items()))


def _finding(row: Row[Any], what: str) -> Finding:
    return Finding(f"delivery {row.id}, {row.name} > {row.destination}", what, REPORT)


def _last_tries(tx: Tx, delivery_ids: Sequence[int]) -> dict[int, str]:
    """By parcel, what its last try brought."""
    of_these = parcels_table.c.delivery_id.in_(delivery_ids)
    last = (
        select(func.max(attempts.c.id).label("id"))
        .join_from(attempts, parcels_table)
        .where(of_these)
        .group_by(attempts.c.parcel_id)
        .subquery()
    )
    look = select(attempts.c.parcel_id, attempts.c.outcome).join_from(attempts, last, attempts.c.id == last.c.id)
    return {row.parcel_id: row.outcome for row in tx.execute(look)}


def _end(parcel: Row[Any], tried: str | None) -> str:
    if tried in ENDED:
        return tried
    by_rule = parcel.state in ENDED and parcel.code in WITHOUT_CALL
    return parcel.state if by_rule or parcel.state not in ENDED else (tried or ParcelState.PENDING)


def _added_up(
    desk: Desk, tx: Tx, row: Row[Any], live: Sequence[Row[Any]], ends: dict[int, str]
) -> Balance | None:  # fmt: skip
    """The book by what was staged; None where nothing of it is kept any more."""
    if row.source == SOURCE or desk.systems.is_answer(row.flow, row.destination):
        parts = _parts(desk, tx, row)
        return None if parts is None else _balance(parts, _by_state(live, ends, [1] * len(live)))
    staged = desk.staging.open(row.noun, row.sha256, row.verdict)
    if staged is None:
        return None
    refused, duplicates, rows = _judged(staged)
    if row.state in (DeliveryState.REFUSED, DeliveryState.ASKED):
        return _balance(rows, Counter(), refused=rows - duplicates, duplicates=duplicates)
    if isinstance(desk.systems.destination(row.destination), Store):
        return _balance(rows, _by_state(live, ends, [rows] * len(live)), flagged=refused)
    counts = _by_state(live, ends, _live(staged, row, live))
    return _balance(rows, counts, refused=refused, duplicates=duplicates)


def _parts(desk: Desk, tx: Tx, row: Row[Any]) -> int | None:
    if desk.systems.is_answer(row.flow, row.destination):
        return 1
    message = messages.of_intake(tx, row.intake_id)
    return len(opened(desk.seal, row.noun, message.sealed).parts()) if message and message.sealed else None


def _judged(staged: StagedFile) -> tuple[int, int, int]:
    """Of a file by its own lists: refused rows, duplicates, and rows in all."""
    listed = pl.scan_csv(staged.rejects, infer_schema=False).select(pl.col("line").cast(pl.UInt32)).unique().collect()
    excluded = staged.excluded_lines.to_frame()
    both = listed.join(excluded, on="line", how="semi").height
    return listed.height, excluded.height - both, staged.manifest.rows + listed.height - both


def _live(staged: StagedFile, row: Row[Any], live: Sequence[Row[Any]]) -> list[int]:
    """How many staged rows travel in each parcel."""
    views = {each.generation: live_rows(staged, view_of(row.destination, each.generation)) for each in live}
    return [
        int(np.searchsorted(rows, each.last_row, "right") - np.searchsorted(rows, each.first_row))
        for each in live
        for rows in (views[each.generation],)
    ]


def _by_state(live: Sequence[Row[Any]], ends: dict[int, str], rows: Sequence[int]) -> Counter[str]:
    found: Counter[str] = Counter()
    for each, count in zip(live, rows, strict=True):
        found[ends[each.id]] += count
    return found


def _balance(rows: int, by_state: Counter[str], refused: int = 0, duplicates: int = 0, flagged: int = 0) -> Balance:
    """What is in no parcel, though it was neither refused nor a duplicate, must have been overtaken."""
    travel = sum(by_state.values()) - by_state[ParcelState.SUPERSEDED]
    left = 0 if flagged else refused + duplicates
    return Balance(
        rows=rows, acked=by_state[ParcelState.ACKED], rejected=by_state[ParcelState.REJECTED] + (left - duplicates),
        duplicate=duplicates, superseded=rows - travel - left, parked=by_state[ParcelState.PARKED],
        open=sum(by_state[state] for state in MOVING), flagged=flagged,
    )  # fmt: skip


def _far_side(desk: Desk, flow: str | None) -> list[Finding]:
    """What other systems have not, of all that they took, where they can be asked or looked into."""
    flows = [each for each in desk.systems.flows.values() if flow in (None, each.name) and desk.systems.is_on(each)]
    found: list[Finding] = []
    for name in dict.fromkeys(name for each in flows for name in each.deliver):
        destination = desk.systems.destination(name)
        if isinstance(destination, Store):
            found += stored.compare(desk, destination, FOREVER)[1]
        elif operation_of(destination).asking is not None:
            found += reached.compare(desk, destination, FOREVER)[1]
    return found
