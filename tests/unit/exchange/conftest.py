"""A desk whose outside is not used: on both databases, with the settings as shipped."""

from __future__ import annotations

import pytest

from drbridge.adapters.outside import ConnectionsOutside, environment_connection
from drbridge.exchange.desk import Desk
from drbridge.exchange.staging import Staging
from drbridge.ledger.database import Ledger
from drbridge.systems import DEFAULT_FILE, load


@pytest.fixture
def desk(ledger: Ledger, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    staging = Staging(tmp_path_factory.mktemp("staging").as_uri())
    return Desk(load(DEFAULT_FILE), ledger, staging, ConnectionsOutside(environment_connection))
