"""Uploads in parts that we began: what a lost worker left in a store is known as ours by them, and nothing else is."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import delete, select, update

from drbridge.ledger.database import Tx, clock, insert_if_new
from drbridge.ledger.tables import uploads


def begin(tx: Tx, store: str, name: str) -> bool:
    """Notes that the upload of a file begins now; says whether one was noted before and has not ended."""
    if insert_if_new(tx, uploads, store=store, name=name, begun_at=clock(tx)):
        return False
    tx.execute(update(uploads).where(uploads.c.store == store, uploads.c.name == name).values(begun_at=clock(tx)))
    return True


def end(tx: Tx, store: str, name: str) -> None:
    """Nothing of the upload is left."""
    tx.execute(delete(uploads).where(uploads.c.store == store, uploads.c.name == name))


def begun_before(tx: Tx, before: float) -> dict[str, list[str]]:
    """The names of files, by store, whose last try began before a moment and never ended."""
    found: dict[str, list[str]] = {}
    for row in tx.execute(select(uploads).where(uploads.c.begun_at < before)):
        found.setdefault(row.store, []).append(row.name)
    return found


def forget(tx: Tx, store: str, names: Collection[str], before: float) -> None:
    """Nothing is left there of these, unless a new try began meanwhile."""
    old = (uploads.c.store == store, uploads.c.name.in_(names), uploads.c.begun_at < before)
    tx.execute(delete(uploads).where(*old))
