"""How each target fares, shared by all workers: one circuit breaker, one waiting time."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, case, select, update

from drbridge.ledger.database import Tx, clock, insert_if_new
from drbridge.ledger.tables import targets

FAILURES_TO_OPEN = 5
FIRST_PAUSE_SECONDS = 15.0
LONGEST_PAUSE_SECONDS = 900.0
STOP_SECONDS = 900.0
BURST_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Health:
    """A target as the ledger knows it.

    Attributes:
        failures: in a row, since it last worked.
        wait_seconds: how long to keep away; 0 when it may be called now.
        stopped: our own login or path is wrong there: it waits for a person, not for the target to come back.
    """

    failures: int
    wait_seconds: float
    stopped: bool
    last_error: str | None


def health(tx: Tx, *names: str) -> Health:
    """How a target fares now; of several names (a connection and one of its endpoints) the worse."""
    now = clock(tx)
    wait = (targets.c.open_until - now).label("open"), (targets.c.not_before - now).label("asked")
    rows = tx.execute(select(targets, *wait, _is_stopped(tx).label("stopped")).where(targets.c.name.in_(names)))
    known = [Health(row.failures, max(row.open, row.asked, 0.0), bool(row.stopped), row.last_error) for row in rows]
    return max(known, key=lambda each: (each.wait_seconds, each.failures), default=Health(0, 0.0, False, None))


def succeeded(tx: Tx, name: str) -> None:
    """It answered sensibly: the circuit closes. A stop stays: the answer is to a request that left before it."""
    _know(tx, name)
    stopped = _is_stopped(tx)
    tx.execute(
        update(targets)
        .where(targets.c.name == name)
        .values(
            failures=0,
            open_until=case((stopped, targets.c.open_until), else_=0.0),
            last_error=case((stopped, targets.c.last_error), else_=None),
            succeeded_at=clock(tx),
            back_at=case((targets.c.failures >= FAILURES_TO_OPEN, clock(tx)), else_=targets.c.back_at),
        )
    )


def back_since(tx: Tx, name: str) -> float:
    """When the target's last outage ended, by the database's clock; 0 when it never had one."""
    return float(tx.execute(select(targets.c.back_at).where(targets.c.name == name)).scalar() or 0.0)


def last_success(tx: Tx, name: str) -> float:
    """When something there succeeded last, by the database's clock; 0 when nothing ever did."""
    return float(tx.execute(select(targets.c.succeeded_at).where(targets.c.name == name)).scalar() or 0.0)


def worked_since(tx: Tx, name: str, moment: float) -> bool:
    """Whether anything there succeeded after a moment of the database's clock."""
    look = select(targets.c.name).where(targets.c.name == name, targets.c.succeeded_at > moment)
    return tx.execute(look).first() is not None


def failed(tx: Tx, name: str, error: str) -> None:
    """It failed: after five failures in a row the circuit opens, each time for longer, at most 15 minutes."""
    _know(tx, name)
    now = clock(tx)
    tx.execute(
        update(targets).where(targets.c.name == name).values(failures=targets.c.failures + 1, last_error=error[:500])
    )
    count = tx.execute(select(targets.c.failures).where(targets.c.name == name)).scalar_one()
    if count >= FAILURES_TO_OPEN:
        pause = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(count - FAILURES_TO_OPEN, 10))
        tx.execute(
            update(targets).where(targets.c.name == name).values(open_until=_later(targets.c.open_until, now + pause))
        )


def stopped(tx: Tx, name: str, why: str) -> None:
    """Our login or path is wrong there: like an open circuit for a quarter of an hour, or until a person asks."""
    _know(tx, name)
    until = clock(tx) + STOP_SECONDS
    tx.execute(update(targets).where(targets.c.name == name).values(failures=0, open_until=until, last_error=why[:500]))


def asked_to_wait(tx: Tx, name: str, seconds: float) -> None:
    """The target named a time to stay away (Retry-After)."""
    _know(tx, name)
    until = _later(targets.c.not_before, clock(tx) + seconds)
    tx.execute(update(targets).where(targets.c.name == name).values(not_before=until))


def permits(tx: Tx, name: str, per_second: float) -> tuple[int, float]:
    """How many calls may go to a target now, and if none, the seconds until one may; nobody else draws meanwhile.

    What goes in any second, from all workers together, is at most a quarter more than `per_second` (or one call more).
    """
    _know(tx, name)
    now = clock(tx)
    ahead = tx.execute(select(targets.c.permits_at - now).where(targets.c.name == name).with_for_update()).scalar_one()
    room = max(BURST_SECONDS, 1 / per_second) - max(ahead, 0.0)
    count = int(room * per_second + 1e-6)
    return (count, 0.0) if count > 0 else (0, 1 / per_second - room)


def draw(tx: Tx, name: str, calls: int, per_second: float) -> None:
    """So many calls go to a target now."""
    begin = _later(targets.c.permits_at, clock(tx))
    tx.execute(update(targets).where(targets.c.name == name).values(permits_at=begin + calls / per_second))


def try_again_now(tx: Tx, *names: str) -> None:
    """A person asks for a try: pauses of the circuit and stops end, the target's own waiting time does not."""
    tx.execute(update(targets).where(targets.c.name.in_(names)).values(open_until=0.0))


def _is_stopped(tx: Tx) -> ColumnElement[bool]:
    """The circuit opens after five failures only; what keeps us away after fewer is a stop."""
    return and_(targets.c.open_until > clock(tx), targets.c.failures < FAILURES_TO_OPEN)


def _later(kept: ColumnElement[float], until: ColumnElement[float]) -> ColumnElement[float]:
    return case((kept > until, kept), else_=until)


def _know(tx: Tx, name: str) -> None:
    insert_if_new(tx, targets, name=name, failures=0, open_until=0.0, not_before=0.0)
