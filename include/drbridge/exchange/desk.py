"""Everything the use cases work with, in one hand: settings, ledger, staging, the outside, the clock."""

from __future__ import annotations

import os
import socket
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime

from drbridge.exchange.seal import Seal, seal_here
from drbridge.exchange.staging import Staging
from drbridge.ledger.database import Ledger
from drbridge.ports import Clock, Outside
from drbridge.systems import Systems


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


def worker_name() -> str:
    """Says who holds a lease: host, process, and a word that no other process has."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


@dataclass(frozen=True)
class Desk:
    """What a worker has on its desk.

    Attributes:
        worker: this worker's name on leases.
    """

    systems: Systems
    ledger: Ledger
    staging: Staging
    outside: Outside
    clock: Clock = field(default_factory=SystemClock)
    worker: str = field(default_factory=worker_name)

    @property
    def seal(self) -> Seal:
        """What stored messages are closed and opened with."""
        return seal_here()
