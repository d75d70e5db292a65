"""Intakes: what arrived, told apart by its bytes, and where it was seen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, case, delete, func, insert, or_, select, update

from drbridge.contracts import Problem
from drbridge.ledger.database import Tx, clock, insert_if_new
from drbridge.ledger.states import SETTLED
from drbridge.ledger.tables import deliveries, intakes, looks, patrols, problem_counts, problems, sightings

KEPT_PROBLEMS = 100
MISSING = -1  # the size of a file that a look did not find


@dataclass(frozen=True, slots=True)
class Arrival:
    """A file that was read to its end: its identity and what the check found.

    Attributes:
        name_key: the file's name when it has no rows (two empty files are two arrivals), else empty.
        refusal_code, refusal_text: why it was refused whole, if it was.
        business_at: seconds since 1970 UTC.
    """

    noun: str
    sha256: str
    name_key: str
    name: str
    source: str
    bytes: int
    rows: int
    accepted: int
    rejected: int
    duplicate: int
    refusal_code: str | None
    refusal_text: str | None
    business_at: float


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a listing and a look at both ends say of a file; no proof of its content, only a sign of change."""

    name: str
    size: int
    mtime: float
    ends_hash: str

    def looks_like(self, seen: Fingerprint | Row[Any]) -> bool:
        """Whether it may be that file under another name: object storage gives a renamed one a new time."""
        return (self.size, self.ends_hash) == (seen.size, seen.ends_hash)


def find(tx: Tx, noun: str, sha256: str, name_key: str) -> Row[Any] | None:
    """The intake of these very bytes, if they came before."""
    return tx.execute(
        select(intakes).where(intakes.c.noun == noun, intakes.c.sha256 == sha256, intakes.c.name_key == name_key)
    ).first()


def by_id(tx: Tx, intake_id: int) -> Row[Any]:
    """The intake of this number."""
    return tx.execute(select(intakes).where(intakes.c.id == intake_id)).one()


def identities(tx: Tx, intake_ids: Sequence[int]) -> dict[int, str]:
    """What tells each intake from all others."""
    look = select(intakes.c.id, intakes.c.sha256, intakes.c.name_key).where(intakes.c.id.in_(intake_ids))
    return {row.id: row.sha256 + row.name_key for row in tx.execute(look)}


def add(tx: Tx, arrival: Arrival, counts: Mapping[str, int], first: Iterable[Problem]) -> int | None:
    """Writes an arrival down with its problems; None when a twin wrote the same bytes down first."""
    values = {field: getattr(arrival, field) for field in Arrival.__dataclass_fields__}
    if not insert_if_new(tx, intakes, **values, taken_at=clock(tx)):
        return None
    row = find(tx, arrival.noun, arrival.sha256, arrival.name_key)
    assert row is not None
    _keep_problems(tx, row.id, counts, first)
    return int(row.id)


def judged_anew(tx: Tx, intake_id: int, arrival: Arrival, counts: Mapping[str, int], first: Iterable[Problem]) -> None:
    """Writes what a second check of the same bytes found in place of what the first one did."""
    found = ("accepted", "rejected", "duplicate", "rows", "refusal_code", "refusal_text")
    tx.execute(
        update(intakes).where(intakes.c.id == intake_id).values({field: getattr(arrival, field) for field in found})
    )
    tx.execute(delete(problems).where(problems.c.intake_id == intake_id, problems.c.delivery_id.is_(None)))
    tx.execute(delete(problem_counts).where(problem_counts.c.intake_id == intake_id))
    _keep_problems(tx, intake_id, counts, first)


def _keep_problems(tx: Tx, intake_id: int, counts: Mapping[str, int], first: Iterable[Problem]) -> None:
    kept = [
        {"intake_id": intake_id, "line": each.line, "field": each.field, "code": each.code, "text": each.text}
        for _, each in zip(range(KEPT_PROBLEMS), first, strict=False)
    ]
    if kept:
        tx.execute(insert(problems), kept)
    if counts:
        tx.execute(
            insert(problem_counts),
            [{"intake_id": intake_id, "code": code, "count": count} for code, count in counts.items()],
        )


def sight(tx: Tx, intake_id: int, source: str, seen: Fingerprint) -> None:
    """Notes under which name an intake lies in a source now."""
    known = sighting(tx, source, seen.name)
    if known is not None and known.intake_id == intake_id:
        tx.execute(
            update(sightings)
            .where(sightings.c.id == known.id)
            .values(size=seen.size, mtime=seen.mtime, ends_hash=seen.ends_hash)
        )
        return
    tx.execute(
        insert(sightings).values(
            intake_id=intake_id, source=source, name=seen.name, size=seen.size, mtime=seen.mtime,
            ends_hash=seen.ends_hash, seen_at=clock(tx),
        )
    )  # fmt: skip


def sighting(tx: Tx, source: str, name: str) -> Row[Any] | None:
    """The newest sighting under this name that has not been renamed since."""
    return tx.execute(
        select(sightings)
        .where(sightings.c.source == source, sightings.c.name == name, sightings.c.renamed_at.is_(None))
        .order_by(sightings.c.id.desc())
        .limit(1)
    ).first()


def last_sighting(tx: Tx, source: str, name: str) -> Row[Any] | None:
    """The newest sighting under this name, renamed since or not."""
    return tx.execute(
        select(sightings)
        .where(sightings.c.source == source, sightings.c.name == name)
        .order_by(sightings.c.id.desc())
        .limit(1)
    ).first()


def was_put_away(tx: Tx, intake_id: int, source: str) -> bool:
    """Whether an intake's file has had its verdict in a source before."""
    marked = (sightings.c.intake_id == intake_id, sightings.c.source == source, sightings.c.renamed_to.is_not(None))
    return tx.execute(select(sightings.c.id).where(*marked).limit(1)).first() is not None


def sighting_in(tx: Tx, intake_id: int, source: str) -> Row[Any] | None:
    """Where an intake was last seen in a source, renamed since or not."""
    return tx.execute(
        select(sightings)
        .where(sightings.c.intake_id == intake_id, sightings.c.source == source)
        .order_by(sightings.c.id.desc())
        .limit(1)
    ).first()


def seen_as(tx: Tx, source: str, wants: Callable[[str], bool]) -> set[int]:
    """Intakes that were seen in a source under a name that is wanted: the same bytes may have come under several."""
    look = select(sightings.c.intake_id, sightings.c.name).where(sightings.c.source == source)
    return {row.intake_id for row in tx.execute(look) if wants(row.name)}


def names_seen(tx: Tx, source: str, seconds: float) -> set[str]:
    """The names under which files were seen in a source for the first time within the last seconds."""
    lately = sightings.c.seen_at > clock(tx) - seconds
    return set(tx.execute(select(sightings.c.name).where(sightings.c.source == source, lately)).scalars())


def sightings_of(tx: Tx, source: str, names: Iterable[str]) -> dict[str, Row[Any]]:
    """The newest unrenamed sighting of each name, with the business date of what it is."""
    wanted = list(names)
    found: dict[str, Row[Any]] = {}
    for start in range(0, len(wanted), 500):
        part = wanted[start : start + 500]
        for row in tx.execute(
            select(sightings, intakes.c.business_at)
            .join_from(sightings, intakes)
            .where(sightings.c.source == source, sightings.c.name.in_(part), sightings.c.renamed_at.is_(None))
            .order_by(sightings.c.id)
        ):
            found[row.name] = row
    return found


def was_given_back(tx: Tx, intake_id: int, source: str, name: str, error_prefix: str) -> bool:
    """Whether a file that lies there was marked as refused when it was last seen: a person gave its old name back."""
    last = last_sighting(tx, source, name)
    if last is None or last.intake_id != intake_id or last.renamed_to is None:
        return False
    return str(last.renamed_to).startswith(error_prefix)


def renamed(tx: Tx, intake_id: int, source: str, name: str, new_name: str) -> None:
    """The source file has its verdict's name now, and what looks at it saw is forgotten.

    Its sighting is over, and so are those of older files that it had replaced under its name, but for those of which
    something still has to go.
    """
    owed = (deliveries.c.intake_id == sightings.c.intake_id, deliveries.c.state.not_in(SETTLED))
    nothing_owed = ~select(deliveries.c.id).where(*owed).exists()
    tx.execute(delete(looks).where(looks.c.source == source, looks.c.name == name))
    its_name = case((sightings.c.intake_id == intake_id, new_name), else_=None)
    tx.execute(
        update(sightings)
        .where(sightings.c.source == source, sightings.c.name == name, sightings.c.renamed_at.is_(None))
        .where(or_(sightings.c.intake_id == intake_id, nothing_owed))
        .values(renamed_to=its_name, renamed_at=clock(tx))
    )


def seconds_unchanged(tx: Tx, source: str, seen: Fingerprint) -> float:
    """How long looks at the source have seen the same, by the ledger's clock; a change starts the count anew."""
    now = clock(tx)
    same = (looks.c.source == source, looks.c.name == seen.name)
    row = tx.execute(select(looks, (now - looks.c.since_at).label("age")).where(*same)).first()
    if row is not None and (row.size, row.mtime, row.ends_hash) == (seen.size, seen.mtime, seen.ends_hash):
        return float(row.age)
    values = {"size": seen.size, "mtime": seen.mtime, "ends_hash": seen.ends_hash}
    if not insert_if_new(tx, looks, source=source, name=seen.name, since_at=now, **values):
        tx.execute(update(looks).where(*same).values(since_at=now, **values))
    return 0.0


def seconds_missing(tx: Tx, source: str, name: str) -> float:
    """How long looks at the source have not found the file."""
    return seconds_unchanged(tx, source, Fingerprint(name, MISSING, 0.0, ""))


def not_missing(tx: Tx, source: str, names: Sequence[str]) -> None:
    """The files were found: the count of how long they are missing ends."""
    tx.execute(delete(looks).where(looks.c.source == source, looks.c.name.in_(names), looks.c.size == MISSING))


def patrolled(tx: Tx, flow: str) -> None:
    """Somebody has listed the flow's source just now."""
    insert_if_new(tx, patrols, flow=flow, looked_at=0.0)
    tx.execute(update(patrols).where(patrols.c.flow == flow).values(looked_at=clock(tx)))


def last_patrols(tx: Tx) -> dict[str, float]:
    """Seconds since each flow's source was last listed."""
    now = clock(tx)
    return {
        row.flow: float(row.ago) for row in tx.execute(select(patrols.c.flow, (now - patrols.c.looked_at).label("ago")))
    }


def approve(tx: Tx, intake_id: int) -> None:
    """A person lets the good rows of a file go, however many are bad."""
    tx.execute(update(intakes).where(intakes.c.id == intake_id).values(approved_at=clock(tx)))


def is_approved(tx: Tx, noun: str, sha256: str) -> bool:
    """Whether a person lets the good rows of these bytes go."""
    mine = (intakes.c.noun == noun, intakes.c.sha256 == sha256, intakes.c.approved_at.is_not(None))
    return tx.execute(select(intakes.c.id).where(*mine).limit(1)).first() is not None


def codes(tx: Tx, intake_id: int) -> dict[str, int]:
    """How many problems of each code the check found."""
    look = select(problem_counts.c.code, problem_counts.c["count"]).where(problem_counts.c.intake_id == intake_id)
    return {row[0]: row[1] for row in tx.execute(look)}


def first_problems(tx: Tx, intake_id: int, delivery_id: int | None = None) -> list[Row[Any]]:
    """The first problems kept: those of the check, and those of one delivery if it is named."""
    where = problems.c.intake_id == intake_id
    mine = problems.c.delivery_id.is_(None) if delivery_id is None else func.coalesce(
        problems.c.delivery_id, delivery_id
    ) == delivery_id  # fmt: skip
    return list(tx.execute(select(problems).where(where, mine).order_by(problems.c.id).limit(KEPT_PROBLEMS)))
