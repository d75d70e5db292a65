"""The refused rows of a file as the operator gets them: line, field, code, text, the row as it came."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Row

from drbridge.checks.spool import REJECTS_HEADER
from drbridge.exchange.desk import Desk
from drbridge.exchange.staging import StagedFile, view_of
from drbridge.ledger import intakes, parcels
from drbridge.ledger.states import ParcelState


def rejected_rows(desk: Desk, intake: Row[Any], deliveries: Sequence[Row[Any]]) -> Iterator[bytes]:
    """A CSV of every row that the last check of the file or one of its destinations refused.

    Of a file that is broken as a whole there is the reason, and what was found before its end.
    """
    newest = max(deliveries, key=lambda row: int(row.id))
    staged = desk.staging.open(intake.noun, intake.sha256, newest.verdict)
    if staged is None:
        yield from _of_broken_file(desk, intake)
        return
    with staged.rejects.open("rb") as file:
        while chunk := file.read(1 << 20):
            yield chunk
    if intake.refusal_text and not intake.rejected:
        yield _csv([["", "", intake.refusal_code or "", intake.refusal_text, ""]])
    for row in deliveries:
        rows = desk.staging.open(intake.noun, intake.sha256, row.verdict)
        if rows is not None:
            yield from _of_destination(desk, row, rows)


def _of_broken_file(desk: Desk, intake: Row[Any]) -> Iterator[bytes]:
    with desk.ledger.read() as tx:
        found = intakes.first_problems(tx, intake.id)
    yield _csv([REJECTS_HEADER])
    whole = (None, intake.refusal_code, intake.refusal_text)
    if not any((each.line, each.code) == whole[:2] for each in found):
        yield _csv([["", "", intake.refusal_code or "", intake.refusal_text or "", ""]])
    yield _csv([each.line or "", each.field or "", each.code, each.text, ""] for each in found)


def _of_destination(desk: Desk, delivery: Row[Any], staged: StagedFile) -> Iterator[bytes]:
    with desk.ledger.read() as tx:
        refused = parcels.of_delivery(tx, delivery.id, ParcelState.REJECTED)
    for parcel in refused:
        view = view_of(delivery.destination, parcel.generation)
        for _, frame in staged.frames(view, parcel.first_row, parcel.last_row):
            yield _csv(_refused_there(record, delivery.destination, parcel) for record in frame.iter_rows(named=True))


def _refused_there(record: dict[str, Any], destination: str, parcel: Row[Any]) -> list[Any]:
    raw = record.get("raw")
    fields = [value or "" for name, value in record.items() if name not in ("row", "line", "raw")]
    as_it_came = raw.decode("utf-8", "replace").rstrip("\r\n") if raw else _csv([fields]).decode().rstrip("\r\n")
    return [record["line"], destination, parcel.code, parcel.text, as_it_came]


def _csv(rows: Iterable[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
