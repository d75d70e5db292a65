"""The ledger's database: SQLite on one machine, PostgreSQL in production, one text for both."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from sqlalchemy import Connection, Engine, Float, Table, create_engine, event, literal_column
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.engine import make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.sql.elements import ColumnElement

from drbridge.errors import Misconfigured, Unreachable

Tx = Connection

DRIVERS = ("sqlite", "postgresql", "postgresql+psycopg2")
WRITE_URL = "write it as postgresql+psycopg2://user:password@host/database or sqlite:////folder/ledger.db"
NOT_ALLOWED = ("42501", "25006")  # PostgreSQL: no right to; a database that can only be read
PATIENCE = {
    "connect_timeout": 5, "keepalives_idle": 15, "keepalives_interval": 5, "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}  # fmt: skip
"""PostgreSQL's host may vanish without a word: a watcher or a caller must not wait for it for hours."""
LONGEST_PAUSE_SECONDS = 120
"""A worker may freeze, or its host vanish, in mid-transaction: what it has locked is free again after this."""


def home() -> Path:
    """Where everything local lives: `.drbridge/` of the checkout, unless DRBRIDGE_HOME says otherwise."""
    return Path(os.environ.get("DRBRIDGE_HOME") or Path(__file__).resolve().parents[3] / ".drbridge")


def default_url() -> str:
    """The ledger's address: DRBRIDGE_LEDGER_URL, else a SQLite file under `home()`."""
    return os.environ.get("DRBRIDGE_LEDGER_URL") or f"sqlite:///{home() / 'ledger.db'}"


class Ledger:
    """Opens transactions on the ledger.

    The engine is made on first use and made anew in a forked child, so no connection is shared between processes.
    SQLite writes take the write lock at BEGIN: a read inside a transaction can never be overtaken by another writer.
    """

    def __init__(self, url: str | None = None) -> None:
        self.url = url or default_url()
        self._engine: Engine | None = None
        self._pid = 0
        self._lock = Lock()

    @property
    def is_sqlite(self) -> bool:
        return self.url.startswith("sqlite")

    @property
    def engine(self) -> Engine:
        with self._lock:
            if self._engine is None or self._pid != os.getpid():
                if self._engine is not None:
                    self._engine.dispose(close=False)
                self._engine, self._pid = _make_engine(self.url), os.getpid()
            return self._engine

    @contextmanager
    def write(self) -> Iterator[Tx]:
        """One transaction that may write: all of it or nothing."""
        with _told_plainly(), self.engine.connect() as connection:
            if self.is_sqlite:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection
            connection.commit()

    @contextmanager
    def read(self) -> Iterator[Tx]:
        """One look; nothing written in it is kept."""
        with _told_plainly(), self.engine.connect() as connection:
            if self.is_sqlite:
                connection.exec_driver_sql("BEGIN")
            yield connection

    def close(self) -> None:
        if self._engine is not None and self._pid == os.getpid():
            self._engine.dispose()
        self._engine = None


@contextmanager
def _told_plainly() -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        raise Unreachable(
            "The ledger's database does not answer",
            detail=str(error.orig),
            fix="check that it runs and that DRBRIDGE_LEDGER_URL is right; the work goes on by itself",
        ) from error
    except DBAPIError as error:
        if getattr(error.orig, "pgcode", None) not in NOT_ALLOWED:
            raise
        raise Misconfigured(
            "The ledger's database does not let us do what we must",
            detail=str(error.orig).strip(),
            fix="give the role in DRBRIDGE_LEDGER_URL a database of its own, with the right to make tables in it",
        ) from error


def _make_engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
    except Exception as error:
        raise Misconfigured("DRBRIDGE_LEDGER_URL is not a database address", fix=WRITE_URL) from error
    if parsed.drivername not in DRIVERS:
        raise Misconfigured(f"DRBRIDGE_LEDGER_URL begins with {parsed.drivername}, which we do not know", fix=WRITE_URL)
    if parsed.get_backend_name() == "sqlite":
        _make_folder(parsed.database)
        engine = create_engine(
            parsed, connect_args={"timeout": 60, "isolation_level": None}, hide_parameters=True
        )  # fmt: skip
        event.listen(engine, "connect", _prepare_sqlite)
        return engine
    engine = create_engine(
        parsed, connect_args=PATIENCE, pool_pre_ping=True, pool_size=4, isolation_level="READ COMMITTED",
        hide_parameters=True,
    )  # fmt: skip
    event.listen(engine, "connect", _prepare_postgresql)
    return engine


def _make_folder(database: str | None) -> None:
    if not database or database == ":memory:":
        return
    folder = Path(database).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Misconfigured(
            f"The ledger's folder {folder} cannot be made",
            detail=str(error.strerror),
            fix="point DRBRIDGE_HOME or DRBRIDGE_LEDGER_URL at a folder that this user may write to",
        ) from error


def _prepare_postgresql(connection: DBAPIConnection, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute(f"SET idle_in_transaction_session_timeout = '{LONGEST_PAUSE_SECONDS}s'")
    cursor.close()
    connection.commit()


def _prepare_sqlite(connection: object, _record: object) -> None:
    cursor = connection.cursor()  # type: ignore[attr-defined]
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=60000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def clock(tx: Tx) -> ColumnElement[float]:
    """The database's own time in seconds since 1970 UTC: leases are judged by one clock."""
    if tx.dialect.name == "sqlite":
        return literal_column("((julianday('now') - 2440587.5) * 86400.0)", Float)
    return literal_column("extract(epoch from clock_timestamp())::float8", Float)


def insert_if_new(tx: Tx, table: Table, **values: object) -> bool:
    """Inserts a row unless its key is there already; says whether it did. Safe against a racing twin."""
    dialect = sqlite_insert if tx.dialect.name == "sqlite" else postgresql_insert
    return tx.execute(dialect(table).values(**values).on_conflict_do_nothing()).rowcount > 0
