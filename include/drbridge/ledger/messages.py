"""Messages: written down with all they become, many in one transaction, before their senders are answered."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from sqlalchemy import Row, Table, func, insert, select

from drbridge.ledger.database import Tx, clock
from drbridge.ledger.parcels import Span, idempotency_key
from drbridge.ledger.states import DeliveryState, ParcelState
from drbridge.ledger.tables import deliveries, intakes, mentions, messages, parcels

SOURCE = "inbox"
_ACCEPTING = 7_410_931
"""Our number of PostgreSQL's advisory lock for those who write messages down."""


@dataclass(frozen=True, slots=True)
class Bound:
    """Where a message goes.

    Attributes:
        lane: what it must keep its order in.
    """

    flow: str
    destination: str
    lane: str


@dataclass(frozen=True, slots=True)
class Letter:
    """A message as the ledger keeps it.

    Attributes:
        number: what its sender is told it is called.
        sha256: of its content, however it was spelled.
        business_at: when what it tells of happened, seconds since 1970 UTC.
        belongs_to: hash of what several messages belong to, or None.
        parts: of each of its requests, whom it speaks of (empty: no order) and its place in that order.
        bound: where it goes; nowhere if it only speaks of a file that goes by itself.
        file_name: the name of that file in the inbox.
        marks: keyed hashes of the ids it names.
    """

    noun: str
    number: str
    sha256: str
    sealed: bytes
    bytes: int
    caller: str
    business_at: float
    belongs_to: str | None
    parts: Sequence[tuple[str, float]]
    bound: Sequence[Bound]
    file_name: str = ""
    marks: Collection[str] = ()


def hashed(*words: str) -> str:
    """What stands in the ledger for words that may name a customer: the same each time, never the words."""
    return sha256("\x1f".join(words).encode()).hexdigest()[:40]


def number_of(noun: str, sender_number: str) -> str:
    """The number a sender is told: one for each number of its own."""
    return hashed("number", noun, sender_number)[:20]


def entity_key(lane: str, entity: str) -> str:
    """How a lane's entity is called in the ledger; one whose order does not matter has none."""
    return hashed(lane, entity) if entity else ""


def one_after_the_other(tx: Tx) -> None:
    """Until this transaction ends no other writes messages down: what it finds unknown stays so.

    SQLite has one writer at a time anyway.
    """
    if tx.dialect.name != "sqlite":
        tx.execute(select(func.pg_advisory_xact_lock(_ACCEPTING)))


def by_number(tx: Tx, numbers: Sequence[str]) -> dict[str, Row[Any]]:
    """The messages among these numbers that are known, with the hash of their content."""
    rows = tx.execute(
        select(messages, intakes.c.sha256, intakes.c.noun).join(intakes).where(messages.c.number.in_(numbers))
    )
    return {row.number: row for row in rows}


def belonging_to(tx: Tx, belongs_to: str) -> list[Row[Any]]:
    """All messages of one group (an event), the oldest first."""
    look = select(messages, intakes.c.noun).join(intakes).where(messages.c.belongs_to == belongs_to)
    return list(tx.execute(look.order_by(messages.c.id)))


def of_intake(tx: Tx, intake_id: int) -> Row[Any] | None:
    """The message an intake is, if it is one."""
    return tx.execute(select(messages).where(messages.c.intake_id == intake_id)).first()


def emptied(tx: Tx, intake_ids: Sequence[int]) -> set[int]:
    """Those of these intakes that are messages whose content was deleted."""
    look = select(messages.c.intake_id).where(messages.c.sealed == b"")
    parts = [intake_ids[start : start + 500] for start in range(0, len(intake_ids), 500)]
    return {found for part in parts for found in tx.execute(look.where(messages.c.intake_id.in_(part))).scalars()}


def of_file(tx: Tx, file_name: str) -> Row[Any] | None:
    """The message that came with a file of this name, if one did."""
    look = select(messages, intakes.c.noun).join(intakes).where(messages.c.file_name == file_name)
    return tx.execute(look.order_by(messages.c.id.desc()).limit(1)).first()


def naming(tx: Tx, number: str, marks: Collection[str]) -> set[int]:
    """The intakes of messages that have the number, or name something that has one of the marks, or may.

    What an older version wrote down has no marks: its messages may name anything, until their content is deleted.
    """
    looks = (
        select(messages.c.intake_id).where(messages.c.number == number),
        select(mentions.c.intake_id).where(mentions.c.mark.in_(marks)),
        select(messages.c.intake_id).where(~messages.c.marked),
    )
    return {found for look in looks for found in tx.execute(look).scalars()}


def of_intakes(tx: Tx, intake_ids: Sequence[int]) -> list[Row[Any]]:
    """The messages that some intakes are."""
    look = select(messages, intakes.c.noun).join(intakes).where(messages.c.intake_id.in_(intake_ids))
    return list(tx.execute(look))


def parts_of(tx: Tx, intake_ids: Sequence[int]) -> list[Row[Any]]:
    """The requests of some messages that count, in order, each with its delivery: whither, and how many it has."""
    its = (deliveries.c.intake_id, deliveries.c.flow, deliveries.c.destination, deliveries.c.rows.label("requests"))
    look = select(parcels, *its).join_from(deliveries, parcels).where(deliveries.c.intake_id.in_(intake_ids))
    in_order = (deliveries.c.intake_id, deliveries.c.id, parcels.c.first_row, parcels.c.id)
    return list(tx.execute(look.where(parcels.c.state != ParcelState.RESENT).order_by(*in_order)))


def add(tx: Tx, letters: Sequence[Letter]) -> None:
    """Writes messages down with their deliveries and requests; none of them may be known."""
    now = tx.execute(select(clock(tx))).scalar_one()
    kept = _insert(tx, intakes, [_as_intake(each, now) for each in letters])
    tx.execute(
        insert(messages),
        [
            {"intake_id": intake_id, "number": each.number, "sealed": each.sealed, "belongs_to": each.belongs_to,
             "caller": each.caller, "received_at": now, "file_name": each.file_name or None, "marked": True}
            for intake_id, each in zip(kept, letters, strict=True)
        ],
    )  # fmt: skip
    named = [
        {"mark": mark, "intake_id": intake_id}
        for intake_id, each in zip(kept, letters, strict=True) for mark in each.marks
    ]  # fmt: skip
    if named:
        tx.execute(insert(mentions), named)
    bound = [(intake_id, each, way) for intake_id, each in zip(kept, letters, strict=True) for way in each.bound]
    if not bound:
        return
    opened = _insert(
        tx, deliveries,
        [
            {"intake_id": intake_id, "flow": way.flow, "destination": way.destination, "lane": way.lane,
             "state": DeliveryState.OPEN.value, "business_at": each.business_at, "version_at": now,
             "rows": len(each.parts), "opened_at": now}
            for intake_id, each, way in bound
        ],
    )  # fmt: skip
    tx.execute(
        insert(parcels),
        [
            _as_parcel(delivery_id, each, way, place)
            for delivery_id, (_, each, way) in zip(opened, bound, strict=True)
            for place in range(len(each.parts))
        ],
    )


def _as_intake(letter: Letter, now: float) -> Mapping[str, object]:
    rows = len(letter.parts)
    return {
        "noun": letter.noun, "sha256": letter.sha256, "name_key": "", "name": f"{letter.noun} {letter.number}",
        "source": SOURCE, "bytes": letter.bytes, "rows": rows, "accepted": rows, "rejected": 0, "duplicate": 0,
        "business_at": letter.business_at, "taken_at": now,
    }  # fmt: skip


def _as_parcel(delivery_id: int, letter: Letter, way: Bound, place: int) -> Mapping[str, object]:
    entity, order_at = letter.parts[place]
    return {
        "delivery_id": delivery_id, "first_row": place, "last_row": place, "rows": 1,
        "key": idempotency_key(letter.sha256, way.destination, Span(place, place, 1), 0),
        "state": ParcelState.PENDING.value, "entity": entity_key(way.lane, entity), "order_at": order_at,
    }  # fmt: skip


def _insert(tx: Tx, table: Table, rows: Sequence[Mapping[str, object]]) -> list[int]:
    """Inserts rows and returns their ids in the same order."""
    done = tx.execute(insert(table).returning(table.c.id, sort_by_parameter_order=True), rows)
    return list(done.scalars())
