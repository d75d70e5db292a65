"""What the ledger may forget: only what is settled in every part, and has been for long enough."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Select, delete, exists, or_, select, update

from drbridge.ledger.database import Tx
from drbridge.ledger.states import SETTLED
from drbridge.ledger.tables import (
    attempts,
    deliveries,
    given_files,
    intakes,
    leases,
    looks,
    mentions,
    messages,
    parcels,
    problem_counts,
    problems,
    sightings,
    standings,
)

AT_ONCE = 200
LEASES_OF_FILES = ("% > % > %", "take %")
"""Each file is a lane of its own while it is taken or relayed; the lanes of flows are few, and keep their epochs."""


def empty_messages(tx: Tx, before: float) -> int:
    """Takes the content out of some messages that were settled before, and what they name; says of how many."""
    of_message = messages.c.intake_id
    over = (
        select(of_message)
        .where(messages.c.sealed != b"", messages.c.received_at < before)
        .where(~_is_owed(of_message, before), ~_its_file_is_owed(of_message, before))
        .limit(AT_ONCE)
    )
    ids = tx.execute(over).scalars().all()
    tx.execute(update(messages).where(of_message.in_(ids)).values(sealed=b"", marked=True))
    tx.execute(delete(mentions).where(mentions.c.intake_id.in_(ids)))
    return len(ids)


def forget_intakes(tx: Tx, before: float) -> int:
    """Forgets some files and messages that were settled before, with all that became of them; says how many.

    A file that may still lie at its source under its first name is kept: forgotten, it would be sent again.
    """
    lies_there = exists().where(sightings.c.intake_id == intakes.c.id, sightings.c.renamed_at.is_(None))
    over = (
        select(intakes.c.id)
        .where(intakes.c.taken_at < before, ~lies_there)
        .where(~_is_owed(intakes.c.id, before), ~_its_file_is_owed(intakes.c.id, before))
        .limit(AT_ONCE)
    )
    ids = tx.execute(over).scalars().all()
    if ids:
        _delete(tx, ids)
    return len(ids)


def forget_standings(tx: Tx, before: float) -> int:
    """Forgets what other systems have of entities that nothing in the ledger speaks of any more."""
    spoken_of = or_(
        exists().where(parcels.c.entity == standings.c.entity), exists().where(messages.c.number == standings.c.entity)
    )
    over = select(standings.c.entity).where(standings.c.order_at < before, ~spoken_of).limit(AT_ONCE)
    names = tx.execute(over).scalars().all()
    tx.execute(delete(standings).where(standings.c.entity.in_(names)))
    return len(names)


def forget_looks(tx: Tx, before: float) -> int:
    """Forgets what looks at sources saw, which files runs were given, and leases of files long gone."""
    moves = exists().where(deliveries.c.lane == leases.c.lane, deliveries.c.state.not_in(SETTLED))
    of_files = or_(*(leases.c.lane.like(pattern) for pattern in LEASES_OF_FILES))
    stale = (
        delete(looks).where(looks.c.since_at < before),
        delete(given_files).where(given_files.c.given_at < before),
        delete(leases).where(of_files, leases.c.expires_at < before, ~moves),
    )
    return sum(tx.execute(each).rowcount for each in stale)


def staged(tx: Tx, noun: str, before: float) -> tuple[set[str], set[str]]:
    """The hashes of files of a noun: all that are known, and those of which what was staged may be asked for yet."""
    mine = select(intakes.c.sha256).where(intakes.c.noun == noun)
    kept = mine.where(or_(intakes.c.taken_at >= before, _is_owed(intakes.c.id, before)))
    return set(tx.execute(mine).scalars()), set(tx.execute(kept).scalars())


def _is_owed(intake_id: ColumnElement[int], before: float) -> ColumnElement[bool]:
    """Whether something of an intake, or an answer to it, is not settled, or was not before that moment."""
    return exists().where(deliveries.c.intake_id == intake_id, _not_over(before))


def _its_file_is_owed(intake_id: ColumnElement[int], before: float) -> ColumnElement[bool]:
    """The same of the file that a message speaks of; one that nobody has taken up yet is owed too."""
    mine, file = messages.alias(), intakes.alias()
    of_mine = (mine.c.intake_id == intake_id, mine.c.file_name.is_not(None))
    is_taken = exists().where(file.c.name == mine.c.file_name)
    owed = exists().where(
        file.c.name == mine.c.file_name, deliveries.c.intake_id == file.c.id, _not_over(before)
    )  # fmt: skip
    return exists().where(*of_mine, or_(~is_taken, owed))


def _not_over(before: float) -> ColumnElement[bool]:
    return or_(deliveries.c.state.not_in(SETTLED), deliveries.c.ended_at.is_(None), deliveries.c.ended_at >= before)


def _delete(tx: Tx, intake_ids: Sequence[int]) -> None:
    of_intakes = deliveries.c.intake_id.in_(intake_ids)
    its_deliveries: Select[tuple[int]] = select(deliveries.c.id).where(of_intakes)
    its_parcels = select(parcels.c.id).where(parcels.c.delivery_id.in_(its_deliveries))
    tx.execute(delete(attempts).where(attempts.c.parcel_id.in_(its_parcels)))
    tx.execute(delete(parcels).where(parcels.c.delivery_id.in_(its_deliveries)))
    for table in (problems, problem_counts, sightings, mentions, messages, deliveries):
        tx.execute(delete(table).where(table.c.intake_id.in_(intake_ids)))
    tx.execute(delete(intakes).where(intakes.c.id.in_(intake_ids)))
