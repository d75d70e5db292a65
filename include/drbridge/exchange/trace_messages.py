"""Where in the messages something was: their content is opened one by one, for who looks holds the key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Row, select

from drbridge.errors import DrBridgeError
from drbridge.exchange.desk import Desk
from drbridge.exchange.seal import content
from drbridge.ledger import deliveries, parcels
from drbridge.ledger.database import Tx
from drbridge.ledger.states import ParcelState
from drbridge.ledger.tables import intakes
from drbridge.ledger.tables import messages as messages_table
from drbridge.ports import JsonValue


def messages_naming(desk: Desk, tx: Tx, key: str) -> Iterator[tuple[Row[Any], tuple[str, ...], Row[Any], Row[Any]]]:
    """Each message that names the key: the message, the members that hold it, and the delivery and parcel of each part.

    A message is also found by its own number.
    """
    look = select(messages_table, intakes.c.noun).join(intakes).order_by(messages_table.c.id)
    for row in tx.execute(look).all():
        matched = ("messageNumber",) if row.number == key else _members(_content(desk, row), key)
        if not matched:
            continue
        for delivery in deliveries.of_intake(tx, row.intake_id):
            for parcel in parcels.of_delivery(tx, delivery.id):
                if parcel.state != ParcelState.RESENT and _speaks_of(delivery, parcel, matched):
                    yield row, matched, delivery, parcel


def _content(desk: Desk, row: Row[Any]) -> JsonValue:
    """What it said; nothing where that was deleted or cannot be read here: the others are found all the same."""
    try:
        return content(desk.seal, row.sealed)
    except DrBridgeError:
        return None


def _members(value: JsonValue, key: str, where: str = "") -> tuple[str, ...]:
    """The paths of the members whose value is the key."""
    if isinstance(value, dict):
        return tuple(path for name, each in value.items() for path in _members(each, key, f"{where}.{name}"))
    if isinstance(value, list):
        return tuple(path for place, each in enumerate(value) for path in _members(each, key, f"{where}.{place}"))
    return (where.removeprefix("."),) if value == key else ()


def _speaks_of(delivery: Row[Any], parcel: Row[Any], matched: tuple[str, ...]) -> bool:
    """Whether a request is about what was found: one of many in a message only if it is in its own part."""
    parts = {path.split(".")[1] for path in matched if path.startswith("requests.")}
    return delivery.rows == 1 or not parts or str(parcel.first_row) in parts
