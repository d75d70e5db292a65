"""Where a device, service point, enrollment, sync request or event was: every file, line, parcel and answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl
from sqlalchemy import Row, select

from drbridge.exchange.desk import Desk
from drbridge.exchange.staging import StagedFile
from drbridge.ledger import deliveries, parcels
from drbridge.ledger.database import Tx
from drbridge.ledger.tables import intakes


@dataclass(frozen=True)
class Trace:
    """One row that names the key, at one destination.

    Attributes:
        matched: the columns that hold the key.
        state: of the parcel the row travelled in, or why it did not travel.
        answer: what the target said, if it said anything.
    """

    file: str
    noun: str
    line: int
    matched: tuple[str, ...]
    flow: str
    destination: str
    state: str
    parcel: int | None
    tries: int
    answer: str

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


def trace(desk: Desk, key: str) -> list[Trace]:
    """Everything staged that names the key, oldest file first."""
    with desk.ledger.read() as tx:
        files = tx.execute(select(intakes).order_by(intakes.c.business_at, intakes.c.id)).all()
        return [found for row in files for found in _in_file(desk, tx, row, key)]


def _in_file(desk: Desk, tx: Tx, intake: Row[Any], key: str) -> Iterator[Trace]:
    staged = desk.staging.open(intake.noun, intake.sha256)
    if staged is None:
        return
    for number, line, matched in _rows_naming(staged, key):
        for delivery in deliveries.of_intake(tx, intake.id):
            yield _told(desk, tx, staged, intake, delivery, number, line, matched)


def _rows_naming(staged: StagedFile, key: str) -> Iterator[tuple[int, int, tuple[str, ...]]]:
    for part in staged.manifest.parts:
        path = staged.folder / part.name
        columns = [name for name, kind in pl.read_parquet_schema(path).items() if kind == pl.String]
        if not columns:
            continue
        hits = (
            pl
            .scan_parquet(path)
            .select("line", *columns)
            .with_row_index("row", offset=part.first_row)
            .filter(pl.any_horizontal(pl.col(columns) == key))
            .collect()
        )
        for record in hits.iter_rows(named=True):
            yield record["row"], record["line"], tuple(name for name in columns if record[name] == key)


def _told(
    desk: Desk, tx: Tx, staged: StagedFile, intake: Row[Any], delivery: Row[Any], number: int, line: int,
    matched: tuple[str, ...],
) -> Trace:  # fmt: skip
    is_answer = delivery.destination == _answer_of(desk, delivery.flow)
    parcel = parcels.holding(tx, delivery.id, 0 if is_answer else number)
    state, answer = ("not sent", "") if parcel is None else (parcel.state, f"{parcel.code or ''} {parcel.text or ''}")
    if not is_answer and delivery.destination not in desk.systems.stores:
        overtaken = staged.superseded_lines(delivery.destination)
        if line in staged.excluded_lines:
            state, answer = "set aside", "a duplicate, or contradicted by another row of the file"
        elif overtaken is not None and line in overtaken:
            state, answer = "SUPERSEDED", "a newer file had settled it already"
    return Trace(
        intake.name, intake.noun, line, matched, delivery.flow, delivery.destination, state,
        parcel.id if parcel else None, parcel.tries if parcel else 0, answer.strip(),
    )  # fmt: skip


def _answer_of(desk: Desk, flow: str) -> str | None:
    known = desk.systems.flows.get(flow)
    return known.answer if known else None
