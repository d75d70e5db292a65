"""Leases: the right to work on a lane for a while, numbered so that a late worker can be told from the present one."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy import ColumnElement, or_, select, update

from drbridge.errors import Interrupted
from drbridge.ledger.database import Tx, clock, insert_if_new
from drbridge.ledger.tables import leases

LEASE_SECONDS = 90.0
LEEWAY_SECONDS = 5.0
SHARE_MARK = " #"
MOST_SHARES = 128
RENEW_AFTER_SECONDS = 10.0  # a holder looks every 15 s: at any moment there is time left for a whole request


@dataclass(frozen=True, slots=True)
class Lease:
    """A lane, or a share of one, held by one worker.

    Attributes:
        epoch: grows with each change of hands; writes carrying an older one change nothing.
        seconds_left: at the moment it was read, by the database's clock.
        share: of the lane's deliveries; 0 where they have only one.
    """

    lane: str
    holder: str
    epoch: int
    seconds_left: float
    share: int = 0

    @property
    def name(self) -> str:
        """What it is written down under."""
        return name_of(self.lane, self.share)


class Fenced(Interrupted):
    """Another worker has taken the lane over; whatever we still hold of it is theirs to finish."""

    def __init__(self, lane: str) -> None:
        super().__init__(f"Another worker took over {lane}", fix="nothing: it finishes the work")


def name_of(lane: str, share: int) -> str:
    """Under which name the lease of a share is kept: the first is the lane itself."""
    return f"{lane}{SHARE_MARK}{share}" if share else lane


def acquire(tx: Tx, lane: str, holder: str, seconds: float = LEASE_SECONDS, share: int = 0) -> Lease | None:
    """Takes the lane, or a share of it, if it is free or expired; None when another worker holds it.

    One that would last for longer than any lease is left over from before the database's clock was set back.
    """
    now, name = clock(tx), name_of(lane, share)
    is_over = or_(leases.c.expires_at <= now, leases.c.expires_at > now + LEASE_SECONDS + LEEWAY_SECONDS)
    insert_if_new(tx, leases, lane=name, holder="", epoch=0, expires_at=0.0)
    taken = tx.execute(
        update(leases)
        .where(leases.c.lane == name, or_(is_over, leases.c.holder == holder))
        .values(holder=holder, epoch=leases.c.epoch + 1, expires_at=now + seconds)
        .returning(leases.c.epoch)
    ).first()
    return None if taken is None else Lease(lane, holder, int(taken.epoch), seconds, share)


def holder_of(tx: Tx, lane: str) -> str | None:
    """Who holds the lane, or a share of it, now; None when nobody does."""
    held = select(leases.c.holder).where(_of_lane(lane), leases.c.expires_at > clock(tx))
    return tx.execute(held.order_by(leases.c.lane).limit(1)).scalar()


def _of_lane(lane: str) -> ColumnElement[bool]:
    """The lane's lease and those of its shares, by their names: there may be a lease of each of a million files."""
    return leases.c.lane.in_([name_of(lane, share) for share in range(MOST_SHARES)])


def lock(tx: Tx, lane: str) -> None:
    """Until this transaction ends the lane's holders, if it has any, write nothing. SQLite has one writer anyway."""
    tx.execute(select(leases.c.lane).where(_of_lane(lane)).order_by(leases.c.lane).with_for_update())


def keep(tx: Tx, lease: Lease, seconds: float = LEASE_SECONDS) -> Lease:
    """Makes sure that the lease is still ours and long enough; on PostgreSQL also locks it for this transaction.

    One that ran out is still ours as long as nobody took the lane: whoever takes it raises its epoch.

    Raises:
        Fenced: another worker took it.
    """
    now = clock(tx)
    mine = (leases.c.lane == lease.name, leases.c.epoch == lease.epoch)
    left = tx.execute(select(leases.c.expires_at - now).where(*mine).with_for_update()).scalar()
    if left is None:
        raise Fenced(lease.lane)
    if left < seconds - RENEW_AFTER_SECONDS:
        tx.execute(update(leases).where(*mine).values(expires_at=now + seconds))
        left = seconds
    return replace(lease, seconds_left=float(left))


def release(tx: Tx, lease: Lease) -> None:
    """Gives the lane back; does nothing if another worker has it by now."""
    tx.execute(update(leases).where(leases.c.lane == lease.name, leases.c.epoch == lease.epoch).values(expires_at=0.0))
