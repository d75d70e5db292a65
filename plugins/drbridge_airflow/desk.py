"""The desk of an Airflow process: connections from Airflow, everything else as on the command line.

Imports happen when the first desk is made, so that reading a DAG file stays cheap.
"""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drbridge.exchange.desk import Desk

# These tell each step of each connection, and that the tables are current, in every task's log.
TALKATIVE = ("alembic", "asyncssh", "botocore")

log = logging.getLogger(__name__)

_lock = Lock()
_desks: dict[int, tuple[tuple[int, ...], Desk]] = {}


def desk_for_worker() -> Desk:
    """The desk of this process; made on first use, with the ledger's tables brought up to date.

    Settings that were changed are read anew: the inbox must not take for a flow what its tasks would leave.
    """
    from drbridge.systems import stamp

    with _lock:
        pid, read = os.getpid(), stamp()
        if pid not in _desks:
            _desks.clear()
            _desks[pid] = read, _new_desk()
        elif _desks[pid][0] != read:
            _desks[pid] = read, _read_anew(_desks[pid][1])
        return _desks[pid][1]


def clear_desk() -> None:
    """Forgets the desk of this process; the next one reads the settings anew."""
    with _lock:
        _desks.clear()


def _read_anew(desk: Desk) -> Desk:
    from drbridge.errors import DrBridgeError
    from drbridge.systems import load

    try:
        return replace(desk, systems=load())
    except DrBridgeError as error:
        log.warning("The settings as they were stay in force here: %s", error)
        return desk


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
