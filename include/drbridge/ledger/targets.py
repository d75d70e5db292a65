"""How each target fares, shared by all workers: one circuit breaker, one waiting time."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import case, select, update

from drbridge.ledger.database import Tx, clock, insert_if_new
from drbridge.ledger.tables import targets

FAILURES_TO_OPEN = 5
FIRST_PAUSE_SECONDS = 15.0
LONGEST_PAUSE_SECONDS = 900.0


@dataclass(frozen=True, slots=True)
class Health:
    """A target as the ledger knows it.

    Attributes:
        wait_seconds: how long to keep away; 0 when it may be called now.
        probing: the circuit was open and its pause is over: one call finds out.
        asked_to_wait: the target itself named the time (Retry-After): no person can cut it short.
    """

    failures: int
    wait_seconds: float
    probing: bool
    asked_to_wait: bool
    last_error: str | None


def health(tx: Tx, name: str) -> Health:
    """How the target fares now."""
    now = clock(tx)
    row = tx.execute(
        select(targets, (targets.c.open_until - now).label("open"), (targets.c.not_before - now).label("asked")).where(
            targets.c.name == name
        )
    ).first()
    if row is None:
        return Health(0, 0.0, False, False, None)
    probing = row.failures >= FAILURES_TO_OPEN and row.open <= 0
    return Health(row.failures, max(row.open, row.asked, 0.0), probing, row.asked > 0, row.last_error)


def succeeded(tx: Tx, name: str) -> None:
    """It answered sensibly: the circuit closes."""
    tx.execute(
        update(targets)
        .where(targets.c.name == name, targets.c.failures > 0)
        .values(failures=0, open_until=0.0, last_error=None)
    )


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
        tx.execute(update(targets).where(targets.c.name == name).values(open_until=now + pause))


def asked_to_wait(tx: Tx, name: str, seconds: float) -> None:
    """The target named a time to stay away (Retry-After)."""
    _know(tx, name)
    until = clock(tx) + seconds
    longer = case((targets.c.not_before > until, targets.c.not_before), else_=until)
    tx.execute(update(targets).where(targets.c.name == name).values(not_before=longer))


def try_again_now(tx: Tx, name: str) -> None:
    """A person asks for a try: the circuit's pause ends, the target's own waiting time does not."""
    tx.execute(update(targets).where(targets.c.name == name).values(open_until=0.0))


def _know(tx: Tx, name: str) -> None:
    insert_if_new(tx, targets, name=name, failures=0, open_until=0.0, not_before=0.0)
