"""Where a device, service point, enrollment, sync request or event was: every file, line, parcel and answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import Row, select

from drbridge.exchange import part_index
from drbridge.exchange.desk import Desk
from drbridge.exchange.fates import Fate, Fates
from drbridge.exchange.staging import StagedFile
from drbridge.exchange.trace_files import Hit, lines_naming
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
    hits = list(lines_naming(file.staged, naming, key))
    for delivery in file.deliveries if hits else ():
        for first, last, fate in _runs(hits, Fates(desk.systems, tx, file.staged, delivery)):
            yield Trace(
                file.name, file.noun, first.line, last.line, first.matched, delivery.flow, delivery.destination, *fate
            )


def _runs(hits: Sequence[Hit], fates: Fates) -> Iterator[tuple[Hit, Hit, Fate]]:
    """The first and last of lines that follow each other, are matched alike and had one fate."""
    numbered = ((hit.line - place, hit, fates.of(hit)) for place, hit in enumerate(hits))
    for (_, _, fate), run in groupby(numbered, key=lambda each: (each[0], each[1].matched, each[2])):
        first, *others = (hit for _, hit, _ in run)
        yield first, others[-1] if others else first, fate


def _of_message(found: Found) -> Trace:
    part, line = found.part, found.part.first_row + 1
    return Trace(
        found.number, found.noun, line, line, found.matched, part.flow, part.destination, part.state, part.id,
        part.tries, f"{part.code or ''} {part.text or ''}".strip(),
    )  # fmt: skip
