"""A ledger that cannot be used says so, with the next step."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from drbridge.errors import Misconfigured, Unreachable
from drbridge.ledger import database
from drbridge.ledger.database import Ledger
from drbridge.ledger.schema import upgrade

LOCK = text("LOCK TABLE leases IN ACCESS EXCLUSIVE MODE")


@pytest.mark.parametrize(
    "url",
    ["mysql://host/ledger", "postgres://host/ledger", "postgresql+psycopg://host/ledger", "postgresql+asyncpg://host/x",
     "sqlite+aiosqlite:///ledger.db", "ledger.db"],
)  # fmt: skip
def test_an_address_of_another_kind_is_our_mistake(url: str) -> None:
    with pytest.raises(Misconfigured, match="DRBRIDGE_LEDGER_URL") as told:
        upgrade(Ledger(url))
    assert "postgresql+psycopg2://" in told.value.fix


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Misconfigured, match=f"{tmp_path}/file/folder") as told:
        upgrade(Ledger(f"sqlite:///{tmp_path}/file/folder/ledger.db"))
    assert "DRBRIDGE_HOME" in told.value.fix


def test_a_role_without_rights_is_told_what_it_lacks(postgres_url: str) -> None:
    owner = Ledger(postgres_url)
    with owner.write() as tx:
        tx.execute(text("REVOKE CREATE ON SCHEMA public FROM PUBLIC"))
        tx.execute(text("CREATE ROLE guest LOGIN"))
    guest = Ledger(make_url(postgres_url).set(username="guest").render_as_string(hide_password=False))
    try:
        with pytest.raises(Misconfigured, match="does not let us") as told, guest.write() as tx:
            tx.execute(text("CREATE TABLE mine (id int)"))
        assert "permission denied" in told.value.detail
        assert "right to make tables" in told.value.fix
    finally:
        guest.close()
        with owner.write() as tx:
            tx.execute(text("DROP ROLE guest"))
        owner.close()


def test_a_database_host_that_says_nothing_is_given_up_within_seconds() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        with pytest.raises(Unreachable, match="does not answer"):
            upgrade(Ledger(f"postgresql+psycopg2://drbridge:x@127.0.0.1:{silent.getsockname()[1]}/ledger"))
        assert time.monotonic() - began < 15


def test_a_worker_that_freezes_in_a_transaction_holds_nobody_up_for_long(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "LONGEST_PAUSE_SECONDS", 1)
    frozen, other = Ledger(postgres_url), Ledger(postgres_url)
    upgrade(frozen)
    with frozen.engine.connect() as stuck:
        stuck.execute(LOCK)
        with other.write() as tx:
            tx.execute(text("SET LOCAL lock_timeout = '20s'"))
            tx.execute(LOCK)
        with pytest.raises(OperationalError):
            stuck.execute(text("SELECT 1"))
    with frozen.read() as tx:
        assert tx.execute(text("SELECT 1")).scalar_one() == 1
    frozen.close()
    other.close()
