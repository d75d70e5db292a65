"""Ledgers on SQLite for tests: each a copy of one that Alembic made once in this process."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from drbridge.ledger.database import Ledger
from drbridge.ledger.schema import upgrade


def ledger_in(folder: Path) -> Ledger:
    """The ledger of a folder; an empty one is laid there if it has none."""
    file = folder / "ledger.db"
    if not file.exists():
        file.write_bytes(_empty())
    return Ledger(f"sqlite:///{file}")


@cache
def _empty() -> bytes:
    with TemporaryDirectory(prefix="drbridge-empty-") as folder:
        made = Ledger(f"sqlite:///{folder}/ledger.db")
        upgrade(made)
        made.close()
        return Path(folder, "ledger.db").read_bytes()
