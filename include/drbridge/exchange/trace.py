"""Where a device, service point, enrollment, sync request or event was: every file, line, parcel and answer."""

from __future__ import annotations

import csv
import heapq
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl
from sqlalchemy import Row, select

from drbridge.exchange.desk import Desk
from drbridge.exchange.staging import StagedFile, view_of
from drbridge.exchange.trace_messages import messages_naming
from drbridge.ledger import deliveries, parcels
from drbridge.ledger.database import Tx
from drbridge.ledger.messages import SOURCE
from drbridge.ledger.tables import intakes


@dataclass(frozen=True)
class Trace:
    """One row or message that names the key, at one destination.

    Attributes:
        file: its name; of a message its number.
        line: of the file; of a message which of its requests, from 1.
        matched: the columns or members that hold the key.
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
    """Everything that was taken in and names the key: files, the oldest first, then messages."""
    with desk.ledger.read() as tx:
        files = tx.execute(
            select(intakes).where(intakes.c.source != SOURCE).order_by(intakes.c.business_at, intakes.c.id)
        ).all()
        found = [each for row in files for each in _in_file(desk, tx, row, key)]
        return found + [_of_message(*each) for each in messages_naming(desk, tx, key)]


def _of_message(message: Row[Any], matched: tuple[str, ...], delivery: Row[Any], parcel: Row[Any]) -> Trace:
    return Trace(
        message.number, message.noun, parcel.first_row + 1, matched, delivery.flow, delivery.destination, parcel.state,
        parcel.id, parcel.tries, f"{parcel.code or ''} {parcel.text or ''}".strip(),
    )  # fmt: skip


@dataclass(frozen=True)
class _Hit:
    """A row that names the key. `row` is its number among the staged ones; a row refused on its own has none."""

    line: int
    matched: tuple[str, ...]
    row: int | None = None
    refusal: str = ""


def _in_file(desk: Desk, tx: Tx, intake: Row[Any], key: str) -> Iterator[Trace]:
    opened = deliveries.of_intake(tx, intake.id)
    verdicts = {row.flow: row.verdict for row in opened if not desk.systems.is_answer(row.flow, row.destination)}
    for verdict in dict.fromkeys(verdicts.values()):
        staged = desk.staging.open(intake.noun, intake.sha256, verdict)
        if staged is None:
            continue
        mine = [row for row in opened if verdicts.get(row.flow) == verdict]
        for hit in heapq.merge(_rows_naming(staged, key), _refused_naming(staged, key), key=lambda hit: hit.line):
            for delivery in mine:
                yield _told(desk, tx, staged, intake, delivery, hit)


def _rows_naming(staged: StagedFile, key: str) -> Iterator[_Hit]:
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
            yield _Hit(record["line"], tuple(name for name in columns if record[name] == key), record["row"])


def _refused_naming(staged: StagedFile, key: str) -> Iterator[_Hit]:
    """Rows that the check refused on their own: they are not staged, but kept as they came."""
    rejects, delimiter = pl.scan_csv(staged.rejects, infer_schema=False), staged.manifest.delimiter
    hits = rejects.filter(pl.col("row").str.contains(key, literal=True)).unique("line", keep="first").collect()
    names = _fields(staged.manifest.header.decode("utf-8-sig"), delimiter)
    for record in sorted(hits.iter_rows(named=True), key=lambda each: int(each["line"])):
        values = zip(names, _fields(record["row"], delimiter), strict=False)
        matched = tuple(name for name, value in values if value == key)
        if matched and int(record["line"]) not in staged.excluded_lines:
            yield _Hit(int(record["line"]), matched, refusal=f"{record['code']}: {record['text']}")


def _fields(row: str, delimiter: str) -> list[str]:
    return next(csv.reader(row.splitlines(keepends=True), delimiter=delimiter), [])


def _told(desk: Desk, tx: Tx, staged: StagedFile, intake: Row[Any], delivery: Row[Any], hit: _Hit) -> Trace:
    travels_whole = delivery.destination in desk.systems.stores
    is_answer = desk.systems.is_answer(delivery.flow, delivery.destination)
    parcel = parcels.holding(tx, delivery.id, 0 if is_answer or hit.row is None else hit.row)
    state, answer = ("not sent", "") if parcel is None else (parcel.state, f"{parcel.code or ''} {parcel.text or ''}")
    if not is_answer and not travels_whole:
        if hit.row is None:
            parcel, state, answer = None, "REJECTED", hit.refusal
        elif hit.line in staged.excluded_lines:
            state, answer = "set aside", "a duplicate, or contradicted by another row of the file"
        elif _is_overtaken(staged, delivery, parcel, hit.line):
            state, answer = "SUPERSEDED", "a newer file had settled it already"
    return Trace(
        intake.name, intake.noun, hit.line, hit.matched, delivery.flow, delivery.destination, state,
        parcel.id if parcel else None, parcel.tries if parcel else 0, answer.strip(),
    )  # fmt: skip


def _is_overtaken(staged: StagedFile, delivery: Row[Any], parcel: Row[Any] | None, line: int) -> bool:
    """Whether a newer file overtook the row: in the sending it last travelled in, or in any when it travels no more."""
    sendings = range(delivery.generation + 1) if parcel is None else [parcel.generation]
    return any(line in staged.superseded_lines(view_of(delivery.destination, number)) for number in sendings)
