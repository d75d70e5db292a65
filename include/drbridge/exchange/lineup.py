"""In which order the parcels of a lane go: a file at a time, or messages side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from drbridge.exchange.desk import Desk
from drbridge.exchange.order import judged, took_effect
from drbridge.ledger import queue
from drbridge.ledger.database import Tx
from drbridge.ledger.leases import Lease
from drbridge.ledger.parcels import Claim, Settled


class Lineup(Protocol):
    """Says what of a lane goes next.

    Attributes:
        lasts_seconds: how long a sender works at most before it leaves the lane to the next run; None: to the end.
        lingers_seconds: how long it stays when nothing is left, for what may come.
        ahead: how many more than may be on the wire are marked as under way at most, so that the wire never waits for
            the ledger.
    """

    ahead: int
    lasts_seconds: float | None
    lingers_seconds: float

    def next(self, tx: Tx, lease: Lease, want: int) -> list[Claim]:
        """Up to `want` parcels that may go now, marked as under way."""
        ...

    def wait(self, tx: Tx, lease: Lease) -> float | None:
        """Seconds until something of the lane may go; None when nothing waits."""
        ...

    def settled(self, tx: Tx, done: Sequence[Settled]) -> None:
        """Hears of outcomes that were written."""
        ...


class FileByFile:
    """The lane's oldest delivery first; the next only when nothing of it is left to move."""

    lasts_seconds: float | None = None
    lingers_seconds = 0.0

    def __init__(self, ahead: int) -> None:
        self.ahead = ahead

    def next(self, tx: Tx, lease: Lease, want: int) -> list[Claim]:
        """Parcels of the oldest delivery that has any left to move."""
        delivery_id = queue.next_delivery(tx, lease.lane)
        return [] if delivery_id is None else queue.claim(tx, lease, delivery_id, want)

    def wait(self, tx: Tx, lease: Lease) -> float | None:
        """Until a parcel of that delivery may go."""
        delivery_id = queue.next_delivery(tx, lease.lane)
        return None if delivery_id is None else queue.wait_of(tx, lease, delivery_id)

    def settled(self, tx: Tx, done: Sequence[Settled]) -> None:
        """Nothing: the rows of a file were put in order when it was cut."""


class SideBySide:
    """Messages and answers: many at once, those about one entity one after the other.

    A run works on them for half a minute at most, so that none is under way for hours; what comes meanwhile goes at
    once. With nothing left it stays for a few seconds more: the next message need not wait for a run to start.
    """

    lasts_seconds: float | None = 30.0

    def __init__(self, desk: Desk, lingers_seconds: float, ahead: int) -> None:
        self.desk, self.lingers_seconds, self.ahead = desk, lingers_seconds, ahead

    def next(self, tx: Tx, lease: Lease, want: int) -> list[Claim]:
        """The oldest that no other of its entity stands before, each judged by what the other side has."""
        return judged(tx, self.desk.seal, lease.lane, queue.claim_across(tx, lease, want))

    def wait(self, tx: Tx, lease: Lease) -> float | None:
        """Until any of the lane may go."""
        return queue.wait_of_lane(tx, lease.lane)

    def settled(self, tx: Tx, done: Sequence[Settled]) -> None:
        """Notes what the other side has now, and has those looked at again that waited for it."""
        if moved := took_effect(tx, [(each.claim, each.outcome) for each in done]):
            queue.release_waiting(tx, moved)
