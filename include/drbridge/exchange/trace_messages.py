"""Where in the messages something was: only those whose marks say so are opened, for who looks holds the key."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import Row

from drbridge.contracts.identifiers import identifiers
from drbridge.errors import DrBridgeError
from drbridge.exchange.desk import Desk
from drbridge.exchange.seal import content
from drbridge.ledger import messages
from drbridge.ledger.database import Tx
from drbridge.ports import JsonValue

AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Found:
    """A request of a message that names the key.

    Attributes:
        number: the message's own.
        matched: the members that hold the key.
        part: the request's parcel, with the flow and destination of its delivery.
    """

    number: str
    noun: str
    matched: tuple[str, ...]
    part: Row[Any]


def messages_naming(desk: Desk, tx: Tx, key: str) -> Iterator[Found]:
    """Each request of a message that names the key, the oldest message first; also found by its own number."""
    ids = sorted(messages.naming(tx, key, desk.seal.marks(key)))
    for start in range(0, len(ids), AT_ONCE):
        matched = {}
        for row in messages.of_intakes(tx, ids[start : start + AT_ONCE]):
            if names := ("messageNumber",) if row.number == key else _members(_content(desk, row), key):
                matched[row.intake_id] = (row.number, row.noun, names)
        parts = messages.parts_of(tx, list(matched))
        for intake_id, mine in groupby(parts, key=lambda part: part.intake_id):
            yield from (Found(*matched[intake_id], part) for part in mine if _speaks_of(part, matched[intake_id][2]))


def _content(desk: Desk, row: Row[Any]) -> JsonValue:
    """What it said; nothing where that was deleted or cannot be read here: the others are found all the same."""
    try:
        return content(desk.seal, row.sealed)
    except DrBridgeError:
        return None


def _members(told: JsonValue, key: str) -> tuple[str, ...]:
    """The paths of the identifiers whose value is the key."""
    return tuple(path for path, value in identifiers(told) if value == key)


def _speaks_of(part: Row[Any], matched: Sequence[str]) -> bool:
    """Whether a request is about what was found: one of many in a message only if it is in its own part."""
    places = {path.split(".")[1] for path in matched if path.startswith("requests.")}
    return part.requests == 1 or not places or str(part.first_row) in places
