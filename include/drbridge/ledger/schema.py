"""Brings the ledger's tables to this version (Alembic)."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from drbridge.ledger.database import Ledger

MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(ledger: Ledger) -> None:
    """Creates or upgrades the tables; does nothing when they are current."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with ledger.write() as tx:
        if _is_current(tx, config):
            return
        config.attributes["connection"] = tx
        command.upgrade(config, "head")


def _is_current(tx: object, config: Config) -> bool:
    heads = set(ScriptDirectory.from_config(config).get_heads())
    return set(MigrationContext.configure(tx).get_current_heads()) == heads  # type: ignore[arg-type]
