"""Acts of persons, with who and why."""

from __future__ import annotations

from sqlalchemy import insert

from drbridge.ledger.database import Tx, clock
from drbridge.ledger.tables import audit


def note(tx: Tx, who: str, act: str, subject: str, why: str) -> None:
    """Writes one act down; nothing of it is ever changed."""
    tx.execute(insert(audit).values(at=clock(tx), who=who, act=act, subject=subject, why=why))
