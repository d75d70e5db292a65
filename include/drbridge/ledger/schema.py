"""Brings the ledger's tables to this version (Alembic)."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import func, select

from drbridge.ledger.database import Ledger, Tx

MIGRATIONS = Path(__file__).parent / "migrations"
LOCK = 7_232_743  # any number, as long as every process uses the same


def upgrade(ledger: Ledger, to: str = "head") -> None:
    """Creates or upgrades the tables, one process at a time; does nothing when they are current."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with ledger.write() as tx:
        if not ledger.is_sqlite:
            tx.execute(select(func.pg_advisory_xact_lock(LOCK)))
        if _is_current(tx, config):
            return
        config.attributes["connection"] = tx
        command.upgrade(config, to)


def _is_current(tx: Tx, config: Config) -> bool:
    heads = set(ScriptDirectory.from_config(config).get_heads())
    return set(MigrationContext.configure(tx).get_current_heads()) == heads
