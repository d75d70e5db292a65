"""Brings the ledger's tables to this version (Alembic)."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import func, inspect, select, text

from drbridge.ledger.database import Ledger, Tx

MIGRATIONS = Path(__file__).parent / "migrations"
LOCK = 7_232_743  # any number, as long as every process uses the same


def upgrade(ledger: Ledger, to: str = "head") -> None:
    """Creates or upgrades the tables, one process at a time; does nothing when they are current."""
    with ledger.write() as tx:
        if not ledger.is_sqlite:
            tx.execute(select(func.pg_advisory_xact_lock(LOCK)))
        if not _is_current(tx):
            _migrate(tx, to)


def _is_current(tx: Tx) -> bool:
    """Whether the last migration was made; Alembic is not asked, for loading it takes longer than most commands."""
    if not inspect(tx).has_table("alembic_version"):
        return False
    newest = max(path.name for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))
    made = tx.execute(text("SELECT version_num FROM alembic_version")).scalars().all()
    return made == [newest.partition("_")[0]]


def _migrate(tx: Tx, to: str) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = tx
    command.upgrade(config, to)
