"""Which files a run was given, in order: a cleared run shows each file under the number it had."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from drbridge.ledger.database import Tx, clock, insert_if_new
from drbridge.ledger.tables import given_files


def given(tx: Tx, dag_id: str, run_id: str) -> list[str]:
    """The files the run was given so far, in order."""
    look = select(given_files.c.name).where(given_files.c.dag_id == dag_id, given_files.c.run_id == run_id)
    return list(tx.execute(look.order_by(given_files.c.position)).scalars())


def give(tx: Tx, dag_id: str, run_id: str, names: Sequence[str]) -> list[str]:
    """Adds files to the run, after those it has; returns all, in order."""
    before = given(tx, dag_id, run_id)
    new = [name for name in names if name not in set(before)]
    for position, name in enumerate(new, start=len(before)):
        insert_if_new(tx, given_files, dag_id=dag_id, run_id=run_id, position=position, name=name, given_at=clock(tx))
    return before + new


def given_to_others(tx: Tx, dag_id: str, run_id: str, seconds: float) -> set[str]:
    """Files that other runs of the DAG were given within the last seconds."""
    lately = given_files.c.given_at > clock(tx) - seconds
    return set(
        tx.execute(
            select(given_files.c.name).where(given_files.c.dag_id == dag_id, given_files.c.run_id != run_id, lately)
        ).scalars()
    )
