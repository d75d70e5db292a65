"""An inbox that is really served, over a real ledger."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from drbridge.inbox.reading import Limits
from drbridge.ledger.database import Ledger
from tests.inbox.serving import Inbox, desk_of, served
from tests.ledgers import ledger_in
from tests.unit.conftest import ledger  # noqa: F401  both databases, as for the ledger


@pytest.fixture
def inbox(ledger: Ledger, tmp_path: Path) -> Iterator[Inbox]:  # noqa: F811
    """On both databases: for what is stored."""
    with served(desk_of(ledger, tmp_path), tmp_path) as running:
        yield running


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inbox]:
    """On SQLite, one for all tests of a module: for what is refused. Impatient, so that tests need not wait."""
    folder = tmp_path_factory.mktemp("door")
    kept = ledger_in(folder)
    with served(desk_of(kept, folder), folder, Limits(message_seconds=1, file_seconds=1, wait_seconds=2)) as running:
        yield running
    kept.close()
