"""Working on a lane: taking its lease, keeping it, giving it back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from drbridge.errors import Unreachable
from drbridge.exchange.desk import Desk
from drbridge.ledger import leases
from drbridge.ledger.leases import Lease


@contextmanager
def working_on(desk: Desk, lane: str) -> Iterator[Lease | None]:
    """Holds the lane for the block; None when another worker holds it. A worker that dies leaves it to expire."""
    with desk.ledger.write() as tx:
        lease = leases.acquire(tx, lane, desk.worker)
    try:
        yield lease
    finally:
        if lease is not None:
            _give_back(desk, lease)


def _give_back(desk: Desk, lease: Lease) -> None:
    try:
        with desk.ledger.write() as tx:
            leases.release(tx, lease)
    except Unreachable:
        pass  # the lease expires by itself
