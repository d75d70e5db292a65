"""What people are to be told: written down with the work, told afterwards, each thing once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Row, delete, select, update

from drbridge.ledger.database import Tx, clock, insert_if_new
from drbridge.ledger.tables import notices


def add(tx: Tx, key: str, channels: Iterable[str], **facts: str) -> bool:
    """Writes a notice down for each way of telling, unless its key is there already; says whether it did."""
    new = [
        insert_if_new(tx, notices, key=key, channel=channel, made_at=clock(tx), told_at=None, **facts)
        for channel in channels
    ]
    return any(new)


def untold(tx: Tx, channel: str, most: int = 1_000) -> Sequence[Row[Any]]:
    """What still has to be told this way, the oldest first."""
    waits = select(notices).where(notices.c.channel == channel, notices.c.told_at.is_(None))
    return tx.execute(waits.order_by(notices.c.id).limit(most)).all()


def any_untold(tx: Tx) -> bool:
    """Whether anything waits to be told."""
    return tx.execute(select(notices.c.id).where(notices.c.told_at.is_(None)).limit(1)).first() is not None


def told(tx: Tx, ids: Sequence[int]) -> None:
    """These were told."""
    tx.execute(update(notices).where(notices.c.id.in_(ids)).values(told_at=clock(tx)))


def forget(tx: Tx, key: str, until: float | None = None) -> None:
    """A trouble that was told is over (or was at a moment of the database's clock): the next is a new one."""
    over = [notices.c.key == key, notices.c.told_at.is_not(None)]
    if until is not None:
        over.append(notices.c.told_at < until)
    tx.execute(delete(notices).where(*over))


def is_known(tx: Tx, key: str) -> bool:
    """Whether there is a notice of this key."""
    return tx.execute(select(notices.c.id).where(notices.c.key == key).limit(1)).first() is not None


def drop_older(tx: Tx, seconds: float) -> Sequence[Row[Any]]:
    """Gives up what could not be told for so long; returns it."""
    late = (notices.c.told_at.is_(None), notices.c.made_at < clock(tx) - seconds)
    rows = tx.execute(select(notices).where(*late)).all()
    tx.execute(delete(notices).where(*late))
    return rows
