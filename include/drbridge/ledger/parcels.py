"""Parcels: claimed before they are sent, settled by what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from itertools import islice
from typing import Any, Literal, NamedTuple

from sqlalchemy import Column, Row, Select, and_, bindparam, func, insert, literal_column, or_, select, update

from drbridge.ledger.database import Tx, clock
from drbridge.ledger.leases import Lease
from drbridge.ledger.states import MOVING, DeliveryState, ParcelState
from drbridge.ledger.tables import attempts, deliveries, intakes, parcels

INSERT_BATCH = 5_000
LONGEST_CODE = 60
LONGEST_TEXT = 500
WAITS = "waits"  # the code of a message that waits for another to come first
IN_DOUBT = "in_doubt"  # the code of what a person decides about because nobody knows whether it took effect


class Outcome(NamedTuple):
    """What came of one claim.

    Attributes:
        state: what the parcel becomes; PENDING and UNKNOWN come again after `wait_seconds`.
        version: the far side's tag of a stored object.
        retry_after: the target itself asked to be left alone for so long.
        stop: our settings are wrong (login: the whole connection; path: this endpoint): the lane stops with this error.
        target_failed: this speaks of the target's health, not of the parcel.
        reply: what an answer to the sender passes on of the other side's words: its id of a new record.
        was_sent: whether anything went over the wire, or may have.
    """

    state: ParcelState
    code: str = ""
    text: str = ""
    status: int | None = None
    version: str | None = None
    wait_seconds: float = 0.0
    retry_after: float | None = None
    stop: Literal["connection", "endpoint"] | None = None
    target_failed: bool = False
    reply: str | None = None
    was_sent: bool = True


class Claim(NamedTuple):
    """A parcel that this worker may send now, with what it needs to build the request.

    Attributes:
        at: when it was claimed, by the database's clock.
        entity: of a message's part, whom it speaks of (hashed), empty when its order does not matter; None in files.
        opened_at: when its delivery began.
        sealed: the message it is part of.
        decided: what comes of it without a call.
        reaches: what the other side has of the entity once it took effect, in the words of its noun; None: no change.
    """

    id: int
    delivery_id: int
    intake_id: int
    noun: str
    sha256: str
    file_name: str
    destination: str
    first_row: int
    last_row: int
    rows: int
    key: str
    generation: int
    tries: int
    in_doubt: bool
    at: float = 0.0
    verdict: str = ""
    entity: str | None = None
    order_at: float = 0.0
    opened_at: float = 0.0
    sealed: bytes = b""
    share: int = 0
    decided: Outcome | None = None
    reaches: str | None = None


class Settled(NamedTuple):
    """A claim and its outcome, on the way into the ledger."""

    claim: Claim
    outcome: Outcome
    at: float
    seconds: float


class Span(NamedTuple):
    """A range of staged rows [first, last] and how many of them live in it; or the part of a message.

    Attributes:
        entity: whom a part speaks of (hashed), empty where the order does not matter; None in files.
        order_at: its place among the parts about the entity.
        share: of the delivery, where several senders share it.
    """

    first: int
    last: int
    rows: int
    entity: str | None = None
    order_at: float = 0.0
    share: int = 0


def idempotency_key(intake_sha: str, destination: str, span: Span, generation: int) -> str:
    """The key a target knows a request by: the same through every retry, new when a person has it sent again."""
    return sha256(f"{intake_sha}|{destination}|{span.first}|{span.last}|{generation}".encode()).hexdigest()


_ADD_PENDING = insert(parcels).values(
    state=literal_column(f"'{ParcelState.PENDING.value}'"), epoch=literal_column("0"), tries=literal_column("0"),
    next_at=literal_column("0.0"),
)  # fmt: skip


def add(
    tx: Tx, delivery_id: int, intake_sha: str, destination: str, spans: Iterable[Span], generation: int = 0
) -> int:  # fmt: skip
    """Writes the parcels of a delivery, all pending; returns how many."""
    count, left = 0, iter(spans)
    while batch := list(islice(left, INSERT_BATCH)):
        rows = [
            {
                "delivery_id": delivery_id, "first_row": span.first, "last_row": span.last, "rows": span.rows,
                "key": idempotency_key(intake_sha, destination, span, generation), "generation": generation,
                "entity": span.entity, "order_at": span.order_at, "share": span.share,
            }
            for span in batch
        ]  # fmt: skip
        tx.execute(_ADD_PENDING, rows)
        count += len(rows)
    return count


def add_singles(tx: Tx, destination: str, found: Sequence[tuple[int, str]]) -> None:
    """Writes one parcel each for deliveries of one row, given with the identity of what they carry."""
    span = Span(0, 0, 1)
    tx.execute(
        insert(parcels),
        [
            {"delivery_id": delivery_id, "first_row": 0, "last_row": 0, "rows": 1, "entity": "",
             "key": idempotency_key(identity, destination, span, 0), "state": ParcelState.PENDING.value}
            for delivery_id, identity in found
        ],
    )  # fmt: skip


def doubt_older_epochs(tx: Tx, lease: Lease) -> int:
    """Parcels that a worker before us had under way are in doubt now: it may or may not have sent them."""
    of_lane = select(deliveries.c.id).where(deliveries.c.lane == lease.lane, deliveries.c.state == DeliveryState.OPEN)
    return tx.execute(
        update(parcels)
        .where(
            parcels.c.delivery_id.in_(of_lane),
            parcels.c.share == lease.share,
            parcels.c.state == ParcelState.IN_FLIGHT,
            parcels.c.epoch < lease.epoch,
        )
        .values(state=ParcelState.UNKNOWN.value, code="worker_lost", text="the worker that sent it was lost")
    ).rowcount


def park_doubtful(tx: Tx, lease: Lease) -> int:
    """Sets what is in doubt aside for a person, where the target can neither be asked nor told apart by a key."""
    of_lane = select(deliveries.c.id).where(deliveries.c.lane == lease.lane, deliveries.c.state == DeliveryState.OPEN)
    mine = parcels.c.delivery_id.in_(of_lane), parcels.c.share == lease.share
    return tx.execute(
        update(parcels)
        .where(*mine, parcels.c.state == ParcelState.UNKNOWN)
        .values(state=ParcelState.PARKED.value, code=IN_DOUBT)
    ).rowcount


def open_rows(tx: Tx, lane: str, share: int | None = None) -> int:
    """Rows of the lane, or of a share, that still have to go; not those that may wait for a predecessor to come."""
    look = select(func.coalesce(func.sum(parcels.c.rows), 0)).join_from(parcels, deliveries)
    look = look if share is None else look.where(parcels.c.share == share)
    return int(
        tx.execute(
            look.where(
                deliveries.c.lane == lane,
                deliveries.c.state == DeliveryState.OPEN,
                parcels.c.state.in_(MOVING),
                or_(func.coalesce(parcels.c.code, "") != WAITS, parcels.c.next_at <= clock(tx)),
            )
        ).scalar_one()
    )


def settle(tx: Tx, lease: Lease, done: Sequence[Settled]) -> list[Settled]:
    """Writes outcomes; returns those that counted (a parcel taken over by another worker is left to it)."""
    alike: dict[tuple[object, ...], list[Settled]] = {}
    for each in done:
        alike.setdefault(_as_written(each.outcome), []).append(each)
    changed, sent = set[int](), list[dict[str, object]]()
    for group in alike.values():
        changed |= _write(tx, lease, group)
        sent += _as_attempts(group, lease)
    if sent:
        tx.execute(insert(attempts), sent)
    return [each for each in done if each.claim.id in changed]


def _as_written(outcome: Outcome) -> tuple[object, ...]:
    return outcome.state.value, outcome.code, outcome.text, outcome.version, outcome.reply, outcome.wait_seconds


def _write(tx: Tx, lease: Lease, group: Sequence[Settled]) -> set[int]:
    """Writes one outcome to all parcels that had it; returns which were still ours."""
    outcome, now = group[0].outcome, clock(tx)
    return set(
        tx.execute(
            update(parcels)
            .where(
                parcels.c.id.in_([each.claim.id for each in group]),
                parcels.c.state == ParcelState.IN_FLIGHT,
                parcels.c.epoch == lease.epoch,
            )
            .values(
                state=outcome.state.value,
                code=_storable(outcome.code, LONGEST_CODE),
                text=_storable(outcome.text, LONGEST_TEXT),
                version=outcome.version,
                reply=_storable(outcome.reply or "", LONGEST_TEXT),
                next_at=now + outcome.wait_seconds,
                ended_at=now if outcome.state not in MOVING else None,
            )
            .returning(parcels.c.id)
        ).scalars()
    )


def _as_attempts(group: Sequence[Settled], lease: Lease) -> list[dict[str, object]]:
    outcome = group[0].outcome
    same = {
        "epoch": lease.epoch, "outcome": outcome.state.value, "code": _storable(outcome.code, LONGEST_CODE),
        "detail": _storable(outcome.text, LONGEST_TEXT),
    }  # fmt: skip
    return [
        {**same, "parcel_id": each.claim.id, "at": each.at, "seconds": each.seconds, "status": each.outcome.status}
        for each in group
        if each.outcome.was_sent
    ]


def _storable(text: str, longest: int) -> str | None:
    """Another system's words as every database keeps them: no NUL, no half characters, not too long."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()[:longest] or None


def tried_at(tx: Tx, parcel_id: int) -> float | None:
    """When the parcel was last tried, by the database's clock; None when no try was noted."""
    return tx.execute(select(func.max(attempts.c.at)).where(attempts.c.parcel_id == parcel_id)).scalar()


def tries_in_doubt(tx: Tx, parcel_id: int, since: float) -> int:
    """How often a parcel was left in doubt since a moment of the database's clock."""
    look = select(func.count()).where(
        attempts.c.parcel_id == parcel_id, attempts.c.outcome == ParcelState.UNKNOWN, attempts.c.at > since
    )
    return int(tx.execute(look).scalar_one())


def tries_with(tx: Tx, parcel_id: int, code: str) -> int:
    """How often a parcel's try ended with a code."""
    look = select(func.count()).where(attempts.c.parcel_id == parcel_id, attempts.c.code == code)
    return int(tx.execute(look).scalar_one())


def split(tx: Tx, claim: Claim, halves: Sequence[Span]) -> None:
    """Writes the halves of a refused chunk beside it, in the transaction that marks it SPLIT."""
    same = [each._replace(share=claim.share) for each in halves]
    add(tx, claim.delivery_id, claim.sha256, claim.destination, same, claim.generation)


def hurry(tx: Tx, lane: str) -> None:
    """A person asks for a try now: waiting times left over from an outage end."""
    of_lane = select(deliveries.c.id).where(deliveries.c.lane == lane, deliveries.c.state == DeliveryState.OPEN)
    tx.execute(
        update(parcels)
        .where(parcels.c.delivery_id.in_(of_lane), parcels.c.state.in_(MOVING), parcels.c.next_at > 0)
        .values(next_at=0.0)
    )


def of_delivery(tx: Tx, delivery_id: int, *states: ParcelState) -> list[Row[Any]]:
    """The parcels of a delivery in the order of their rows, only those in `states` if any are named."""
    look = select(parcels).where(parcels.c.delivery_id == delivery_id).order_by(parcels.c.first_row, parcels.c.id)
    return list(tx.execute(look.where(parcels.c.state.in_(states)) if states else look))


def codes(tx: Tx, delivery_ids: Sequence[int], *states: ParcelState) -> dict[str, int]:
    """How many rows of these deliveries are in the states for each code."""
    mine = (parcels.c.delivery_id.in_(delivery_ids), parcels.c.state.in_(states))
    look = select(parcels.c.code, func.sum(parcels.c.rows)).where(*mine).group_by(parcels.c.code)
    return {str(row[0]): int(row[1]) for row in tx.execute(look)}


def causes(tx: Tx, flow: str | None) -> list[Row[Any]]:
    """Why rows were refused or wait for a person: by flow, destination, state and code, how many, of which days."""
    ended = parcels.c.state.in_((ParcelState.REJECTED, ParcelState.PARKED))
    mine = ended if flow is None else and_(ended, deliveries.c.flow == flow)
    kinds = (deliveries.c.flow, deliveries.c.destination, parcels.c.state, parcels.c.code)
    counts = (
        func.sum(parcels.c.rows).label("rows"), func.min(deliveries.c.business_at).label("first_at"),
        func.max(deliveries.c.business_at).label("last_at"),
    )  # fmt: skip
    look = select(*kinds, *counts).join_from(parcels, deliveries).where(mine).group_by(*kinds).order_by(*kinds)
    return list(tx.execute(look))


def has_any(tx: Tx, delivery_id: int, states: Sequence[ParcelState]) -> bool:
    """Whether a delivery has a parcel in one of the states."""
    look = select(parcels.c.id).where(parcels.c.delivery_id == delivery_id, parcels.c.state.in_(states))
    return tx.execute(look.limit(1)).first() is not None


def holding_any(tx: Tx, delivery_id: int, first: int, last: int) -> list[Row[Any]]:
    """The parcels that the staged rows from the first to the last travel in now, in their order."""
    before = holding(tx, delivery_id, first)
    found = [] if before is None else [before]
    if first < last:
        begins = (parcels.c.first_row > first, parcels.c.first_row <= last)
        found += tx.execute(_counted(delivery_id).where(*begins).order_by(parcels.c.first_row))
    return found


def holding(tx: Tx, delivery_id: int, row: int) -> Row[Any] | None:
    """The parcel that a staged row travels in now: the last to begin before it, for those that count never overlap."""
    begun = _counted(delivery_id).where(parcels.c.first_row <= row)
    nearest = tx.execute(begun.order_by(parcels.c.first_row.desc()).limit(1)).first()
    return nearest if nearest is not None and nearest.last_row >= row else None


def _counted(delivery_id: int) -> Select[Any]:
    """The parcels of a delivery that were neither split nor sent again in others."""
    past = (ParcelState.SPLIT, ParcelState.RESENT)
    return select(parcels).where(parcels.c.delivery_id == delivery_id, parcels.c.state.not_in(past))


def version_put(tx: Tx, destination: str, file_name: str) -> str | None:
    """The far side's tag of the object that we last put under this name, if we did."""
    return tx.execute(
        _last_put(parcels.c.version, destination, file_name).where(parcels.c.version.is_not(None))
    ).scalar()


def last_put(tx: Tx, destination: str, file_name: str) -> int | None:
    """The parcel whose object lies under this name now, as far as we know."""
    return tx.execute(_last_put(parcels.c.id, destination, file_name)).scalar()


def _last_put(what: Column[Any], destination: str, file_name: str) -> Select[Any]:
    put = (ParcelState.ACKED, ParcelState.RESENT)
    here = deliveries.c.destination == destination, intakes.c.name == file_name, parcels.c.state.in_(put)
    look = select(what).join_from(parcels, deliveries).join(intakes).where(*here)
    return look.order_by(parcels.c.ended_at.desc()).limit(1)


def retire(tx: Tx, ids: Sequence[int]) -> None:
    """Marks parcels whose rows a person has sent again in new ones; they count no more."""
    for start in range(0, len(ids), INSERT_BATCH):
        tx.execute(
            update(parcels).where(parcels.c.id.in_(ids[start : start + INSERT_BATCH])).values(state=ParcelState.RESENT)
        )


def move(tx: Tx, ids: Sequence[int], source: ParcelState, to: ParcelState, code: str, text: str) -> int:
    """Moves parcels from one state to another by rule (superseding, parking), not by an answer."""
    ended = None if to in MOVING else clock(tx)
    change = (
        update(parcels)
        .where(and_(parcels.c.id.in_(bindparam("ids", expanding=True)), parcels.c.state == source))
        .values(state=to.value, code=code, text=text, ended_at=ended, next_at=0.0)
    )
    parts = (list(ids[start : start + INSERT_BATCH]) for start in range(0, len(ids), INSERT_BATCH))
    return sum(tx.execute(change, {"ids": part}).rowcount for part in parts)
