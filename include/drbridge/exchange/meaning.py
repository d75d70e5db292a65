"""Choosing what goes again by what it means: why it was refused, which program it is of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl
from sqlalchemy import ColumnElement, Row, and_, func, or_, select, true

from drbridge.exchange.desk import Desk
from drbridge.exchange.seal import content
from drbridge.exchange.staging import view_of
from drbridge.exchange.work import Work
from drbridge.ledger import messages
from drbridge.ledger.database import Tx
from drbridge.ledger.tables import parcels
from drbridge.ports import JsonValue

PROGRAM = ("programid", "programcode")
"""Names of the columns and members that hold a program, in small letters."""

Chosen = Callable[[Row[Any]], bool]


def every(_: Row[Any]) -> bool:
    """Nothing is left out."""
    return True


def with_reason(work: Work) -> ColumnElement[bool]:
    """Parcels that ended for the reason of the run: its code, or words of the answer."""
    if work.reason is None:
        return true()
    said = func.lower(func.coalesce(parcels.c.text, "")).contains(work.reason.lower(), autoescape=True)
    return or_(parcels.c.code == work.reason, and_(parcels.c.code.is_not(None), said))


def chosen_by(desk: Desk, tx: Tx, delivery: Row[Any], work: Work) -> Chosen:
    """Says of each parcel of a delivery whether the run means it.

    Args:
        delivery: as `deliveries.with_intakes` gives it.
    """
    if work.reason is None and work.program is None:
        return every
    meant = select(parcels.c.id).where(parcels.c.delivery_id == delivery.id, with_reason(work))
    ids = set(tx.execute(meant).scalars())
    of_program = _of_program(desk, tx, delivery, work.program) if work.program else every
    return lambda parcel: parcel.id in ids and of_program(parcel)


def _of_program(desk: Desk, tx: Tx, delivery: Row[Any], program: str) -> Chosen:
    message = messages.of_intake(tx, delivery.intake_id)
    if message is not None:
        said = content(desk.seal, message.sealed)
        return lambda parcel: _names(_part(said, parcel.first_row), program)
    rows = _rows_of(desk, delivery, program)
    return lambda parcel: bool(rows.is_between(parcel.first_row, parcel.last_row).any())


def _rows_of(desk: Desk, delivery: Row[Any], program: str) -> pl.Series:
    """The numbers of the staged rows that name the program."""
    staged = desk.staging.found(delivery.noun, delivery.sha256, delivery.verdict, delivery.name)
    found = [pl.Series("row", [], pl.UInt32)]
    for _, frame in staged.frames(view_of(delivery.destination, delivery.generation)):
        columns = [name for name in frame.columns if name.lower() in PROGRAM]
        if columns:
            found.append(frame.filter(pl.any_horizontal(pl.col(columns) == program))["row"])
    return pl.concat(found)


def _part(said: JsonValue, number: int) -> JsonValue:
    """What one request of a message says; of a message that is one request, all of it."""
    requests = said.get("requests") if isinstance(said, dict) else None
    return requests[number] if isinstance(requests, list) and number < len(requests) else said


def _names(said: JsonValue, program: str) -> bool:
    if isinstance(said, dict):
        return any(
            value == program if name.lower() in PROGRAM else _names(value, program) for name, value in said.items()
        )
    return isinstance(said, list) and any(_names(each, program) for each in said)
