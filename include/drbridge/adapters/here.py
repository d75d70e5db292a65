"""The desk of a process without Airflow: connections from AIRFLOW_CONN_*, the ledger from DRBRIDGE_LEDGER_URL."""

from __future__ import annotations

from drbridge.adapters.outside import ConnectionsOutside, environment_connection
from drbridge.exchange.desk import Desk
from drbridge.exchange.staging import Staging
from drbridge.ledger.database import Ledger
from drbridge.ledger.schema import upgrade
from drbridge.systems import load


def open_desk() -> Desk:
    """A desk with the settings of this process, its ledger's tables brought up to date."""
    ledger = Ledger()
    upgrade(ledger)
    return Desk(load(), ledger, Staging(), ConnectionsOutside(environment_connection))
