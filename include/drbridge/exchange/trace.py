"""Where a device, service point, enrollment, sync request or event was: every file, line, parcel and answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from typing import Any

from sqlalchemy import Row, select

from drbridge.exchange import part_index
from drbridge.exchange.desk import Desk
from drbridge.exchange.fates import Fates
from drbridge.exchange.staging import StagedFile
from drbridge.exchange.trace_files import lines_naming
from drbridge.exchange.trace_messages import Found, messages_naming
from drbridge.ledger.database import Tx
from drbridge.ledger.messages import SOURCE
from drbridge.ledger.tables import deliveries, intakes


@dataclass(frozen=True)
class Trace:
    """Rows one after the other, or a message, that name the key and had one fate at one destination.

    Attributes:
        file: its name; of a message its number.
        line, last_line: of the file, the first and the last; of a message which of its requests, from 1.
        matched: the columns or members that hold the key.
        state: of the parcel the rows travelled in, or why they did not travel.
        answer: what the target said, if it said anything.
    """

    file: str
    noun: str
    line: int
    last_line: int
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
    """Everything that was taken in and names the key: files, the oldest first, then messages.

    A row or a message names what stands in one of its identifiers (`drbridge.contracts.identifiers`).
    """
    if not key:
        return []
    with desk.ledger.read() as tx:
        files = list(_files(desk, tx))
        naming = part_index.naming([part for each in files for part in each.staged.part_paths], key)
        found = [told for each in files for told in _in_file(desk, tx, each, naming, key)]
        return found + [_of_message(each) for each in messages_naming(desk, tx, key)]


@dataclass(frozen=True)
class _File:
    """What one check staged of a file, and the deliveries that send it."""

    name: str
    noun: str
    staged: StagedFile
    deliveries: Sequence[Row[Any]]


def _files(desk: Desk, tx: Tx) -> Iterator[_File]:
    opened = tx.execute(
        select(deliveries, intakes.c.name, intakes.c.noun, intakes.c.sha256)
        .join_from(deliveries, intakes)
        .where(intakes.c.source != SOURCE)
        .order_by(intakes.c.business_at, intakes.c.id, deliveries.c.id)
    )
    for _, rows in groupby(opened, key=lambda row: row.intake_id):
        of_intake = list(rows)
        verdicts = {
            row.flow: row.verdict for row in of_intake if not desk.systems.is_answer(row.flow, row.destination)
        }  # fmt: skip
        for verdict in dict.fromkeys(verdicts.values()):
            mine = [row for row in of_intake if verdicts.get(row.flow) == verdict]
            staged = desk.staging.open(mine[0].noun, mine[0].sha256, verdict)
            if staged is not None:
                yield _File(mine[0].name, mine[0].noun, staged, mine)


def _in_file(desk: Desk, tx: Tx, file: _File, naming: part_index.Parts, key: str) -> Iterator[Trace]:
    found = list(lines_naming(file.staged, naming, key))
    for delivery in file.deliveries if found else ():
        fates = Fates(desk.systems, tx, file.staged, delivery)
        told = [
            Trace(file.name, file.noun, first, last, lines.matched, delivery.flow, delivery.destination, *fate)
            for lines in found for first, last, fate in fates.of(lines)
        ]  # fmt: skip
        yield from _joined(told)


def _joined(told: Sequence[Trace]) -> Iterator[Trace]:
    """The same, with those as one that follow each other and had one fate: rows are found part by part."""
    before = None
    for each in told:
        if before is not None and each == replace(before, line=before.last_line + 1, last_line=each.last_line):
            before = replace(before, last_line=each.last_line)
            continue
        if before is not None:
            yield before
        before = each
    if before is not None:
        yield before


def _of_message(found: Found) -> Trace:
    part, line = found.part, found.part.first_row + 1
    return Trace(
        found.number, found.noun, line, line, found.matched, part.flow, part.destination, part.state, part.id,
        part.tries, f"{part.code or ''} {part.text or ''}".strip(),
    )  # fmt: skip
