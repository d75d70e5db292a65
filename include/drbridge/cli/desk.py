"""The desk of the command line: connections from AIRFLOW_CONN_*, the ledger from DRBRIDGE_LEDGER_URL."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from drbridge.adapters.outside import ConnectionsOutside, environment_connection
from drbridge.errors import DrBridgeError
from drbridge.exchange.desk import Desk
from drbridge.exchange.staging import Staging
from drbridge.ledger.database import Ledger
from drbridge.ledger.schema import upgrade
from drbridge.systems import load


def open_desk() -> Desk:
    """A desk for this shell."""
    ledger = Ledger()
    upgrade(ledger)
    return Desk(load(), ledger, Staging(), ConnectionsOutside(environment_connection))


@contextmanager
def told_plainly() -> Iterator[None]:
    """Turns our errors into one message and exit code 3; nobody gets a traceback for a wrong setting."""
    try:
        yield
    except DrBridgeError as error:
        print(error, file=sys.stderr)
        raise typer.Exit(3) from error
