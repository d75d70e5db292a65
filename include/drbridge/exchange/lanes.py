"""Working on a lane: taking its lease, keeping it, giving it back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from drbridge.errors import Unreachable
from drbridge.exchange.desk import Desk
from drbridge.ledger import leases
from drbridge.ledger.leases import Lease

KEEP_EVERY_SECONDS = 30.0


@contextmanager
def working_on(desk: Desk, lane: str, share: int = 0) -> Iterator[Lease | None]:
    """Holds the lane, or a share of it, for the block; None when another worker does. One that dies lets it expire."""
    with desk.ledger.write() as tx:
        lease = leases.acquire(tx, lane, desk.worker, share=share)
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


def keeper(desk: Desk, *held: Lease) -> Callable[[], None]:
    """Gives a function to call all through long work: now and then it makes the leases long again.

    It raises Fenced when another worker took one of the lanes over.
    """
    last = desk.clock.monotonic()

    def keep() -> None:
        nonlocal last
        if desk.clock.monotonic() - last < KEEP_EVERY_SECONDS:
            return
        with desk.ledger.write() as tx:
            for lease in held:
                leases.keep(tx, lease)
        last = desk.clock.monotonic()

    return keep
