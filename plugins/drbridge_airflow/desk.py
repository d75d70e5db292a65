"""The desk of an Airflow process: connections from Airflow, everything else as on the command line.

Imports happen when the first desk is made, so that reading a DAG file stays cheap.
"""

from __future__ import annotations

import logging
import os
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drbridge.exchange.desk import Desk

# These tell each step of each connection, and that the tables are current, in every task's log.
TALKATIVE = ("alembic", "asyncssh", "botocore")

_lock = Lock()
_desks: dict[int, Desk] = {}


def desk_for_worker() -> Desk:
    """The desk of this process; made on first use, with the ledger's tables brought up to date."""
    with _lock:
        pid = os.getpid()
        if pid not in _desks:
            _desks.clear()
            _desks[pid] = _new_desk()
        return _desks[pid]


def clear_desk() -> None:
    """Forgets the desk of this process; the next one reads the settings anew."""
    with _lock:
        _desks.clear()


def _new_desk() -> Desk:
    from drbridge.exchange.desk import Desk
    from drbridge.exchange.staging import Staging
    from drbridge.ledger.database import Ledger
    from drbridge.ledger.schema import upgrade
    from drbridge.systems import load
    from drbridge_airflow.hooks.connections import outside

    for talkative in TALKATIVE:
        logging.getLogger(talkative).setLevel(logging.WARNING)
    systems, ledger = load(), Ledger()
    upgrade(ledger)
    return Desk(systems, ledger, Staging(), outside())
