"""Acts of persons, with who and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, insert, select

from drbridge.ledger.database import Tx, clock
from drbridge.ledger.tables import audit


def note(tx: Tx, who: str, act: str, subject: str, why: str) -> None:
    """Writes one act down; nothing of it is ever changed."""
    tx.execute(insert(audit).values(at=clock(tx), who=who, act=act, subject=subject, why=why))


def acts(tx: Tx) -> Sequence[Row[Any]]:
    """Every act, the latest last."""
    return tx.execute(select(audit).order_by(audit.c.id)).all()
