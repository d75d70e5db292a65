"""The verdict on a file: once all of it is settled, its source is renamed and its refused rows are laid beside it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from typing import Any

from sqlalchemy import Row

from drbridge.errors import Unstable
from drbridge.exchange.desk import Desk
from drbridge.exchange.naming import fitted
from drbridge.exchange.receive import fingerprint, known_intake
from drbridge.ledger import deliveries, intakes, parcels
from drbridge.ledger.database import Tx
from drbridge.ledger.deliveries import Balance
from drbridge.ledger.states import SETTLED, DeliveryState, ParcelState
from drbridge.ports import AlreadyThere, FileStore
from drbridge.systems import Flow

REJECTS_COLUMNS = ["line", "field", "code", "text", "row"]


@dataclass(frozen=True)
class Verdict:
    """What the operator sees of one file at the end of a run.

    Attributes:
        state: settled, refused, open (something still has to go), needs_person, gone.
        counts: rows by where they are, for each destination of this flow.
    """

    name: str
    state: str
    text: str
    counts: dict[str, dict[str, int]] = field(default_factory=dict)

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


@dataclass(frozen=True)
class _Book:
    """What the ledger says of a file: its intake, all its deliveries and their balances."""

    intake: Row[Any]
    rows: list[Row[Any]]
    balances: dict[int, Balance]
    reasons: dict[int, str]

    def of(self, flow: Flow) -> list[Row[Any]]:
        return [row for row in self.rows if row.flow == flow.name and row.destination in flow.deliver]

    def was_refused(self, row: Row[Any]) -> bool:
        balance = self.balances[row.id]
        nothing_taken = balance.rejected and not (balance.acked or balance.superseded or balance.duplicate)
        return bool(row.state == DeliveryState.REFUSED or nothing_taken)


def archive(desk: Desk, flow_name: str, file_name: str) -> Verdict:
    """Gives one file its verdict, and its source the name that says so once everything about it is settled.

    Raises:
        RetryLater: the source cannot be reached, or the file changed.
    """
    flow = desk.systems.flow(flow_name)
    book = _book(desk, flow, file_name)
    if book is None:
        return _unknown(desk, flow, file_name)
    verdict = _judge(book, flow, file_name)
    unsettled = sorted({row.flow for row in book.rows if row.state not in SETTLED})
    if unsettled:
        others = [name for name in unsettled if name != flow.name]
        return verdict if not others else _with(verdict, f"its source keeps its name until {', '.join(others)} is done")
    refused = any(book.was_refused(row) for row in book.rows)
    site = desk.systems.site
    new_name = (site.error_prefix if refused else site.sent_prefix) + file_name
    return _with(verdict, _put_away(desk, flow, book, file_name, new_name))


def _book(desk: Desk, flow: Flow, name: str) -> _Book | None:
    with desk.ledger.read() as tx:
        sighting = intakes.sighting(tx, flow.source, name) or intakes.last_sighting(tx, flow.source, name)
        if sighting is None:
            return None
        carried = {(other.name, to) for other in _sharing(desk, flow, name) for to in other.deliver}
        rows = [row for row in deliveries.of_intake(tx, sighting.intake_id) if (row.flow, row.destination) in carried]
        intake = intakes.by_id(tx, sighting.intake_id)
        reasons = {row.id: _reason(tx, row) for row in rows}
        return _Book(intake, rows, deliveries.balances(tx, [row.id for row in rows]), reasons)


def _reason(tx: Tx, delivery: Row[Any]) -> str:
    if delivery.note:
        return str(delivery.note)
    refused = parcels.of_delivery(tx, delivery.id, ParcelState.REJECTED)
    return f"every row was refused, the first with: {refused[0].text}" if refused else "every row was refused"


def _sharing(desk: Desk, flow: Flow, name: str) -> list[Flow]:
    noun = flow.noun_of(name)
    return desk.systems.flows_sharing(flow.source, noun) if noun else [flow]


def _unknown(desk: Desk, flow: Flow, name: str) -> Verdict:
    store = desk.outside.store(flow.source)
    try:
        there = store.stat(name)
    finally:
        store.close()
    if there is None:
        return Verdict(name, "gone", f"{name} is not in {flow.source} any more")
    return Verdict(name, "open", f"{name} was not taken in; its take or relay task says why")


def _judge(book: _Book, flow: Flow, name: str) -> Verdict:
    mine = book.of(flow)
    counts = {row.destination: book.balances[row.id].as_dict() for row in mine}
    told = "; ".join(f"{row.destination}: {_in_words(book.balances[row.id])}" for row in mine)
    if held := [row for row in mine if row.state == DeliveryState.HELD]:
        return Verdict(name, "needs_person", f"{name} is held: {held[0].note}. {told}", counts)
    if any(book.balances[row.id].open for row in mine):
        return Verdict(name, "open", f"{name} is not settled yet. {told}", counts)
    if any(row.state not in SETTLED for row in mine):
        return Verdict(name, "needs_person", f"{name} waits for a person. {told}", counts)
    refused = [row for row in mine if book.was_refused(row)]
    if refused:
        why = book.reasons[refused[0].id]
        return Verdict(name, "refused", f"{name} was refused: {why}. {told}", counts)
    return Verdict(name, "settled", f"{name} is settled. {told}", counts)


def _in_words(balance: Balance) -> str:
    words = [f"{count} {word}" for word, count in balance.as_dict().items() if count and word != "rows"]
    return f"{balance.rows} rows" + (f" ({', '.join(words)})" if words else "")


def _with(verdict: Verdict, text: str) -> Verdict:
    return Verdict(verdict.name, verdict.state, f"{verdict.text}. {text}" if text else verdict.text, verdict.counts)


def _put_away(desk: Desk, flow: Flow, book: _Book, name: str, new_name: str) -> str:
    """Lays the refused rows beside the source and renames it, if it is still the file that was taken."""
    store = desk.outside.store(flow.source)
    try:
        seen = fingerprint(store, name)
        if seen is None:
            return ""
        if known_intake(desk, flow.source, name, seen) is None:
            raise Unstable(f"{name} is another file than the one that was taken", fix="nothing: the next run takes it")
        rejects = _lay_rejects(desk, flow, book, name)
        final = _rename(store, name, new_name)
        store.remove(fitted(name + flow.done_marker))
    finally:
        store.close()
    with desk.ledger.write() as tx:
        intakes.renamed(tx, flow.source, name, final)
    return f"Its source is {final} now{rejects}"


def _rename(store: FileStore, name: str, new_name: str) -> str:
    """Renames; an older file of that name keeps it, and the new one gets a number."""
    for number in range(1, 1_000):
        wanted = fitted(new_name if number == 1 else f"{new_name}.{number}")
        with suppress(AlreadyThere):
            store.rename(name, wanted)
            return wanted
    raise Unstable(f"{new_name} is there a thousand times", fix=f"clear {store.url} up")


def _lay_rejects(desk: Desk, flow: Flow, book: _Book, name: str) -> str:
    """Writes `rejects/<name>.rejects.csv` beside the source; says so, or nothing when no row was refused."""
    if (
        not any(balance.rejected or balance.flagged for balance in book.balances.values())
        and not book.intake.refusal_text
    ):
        return ""
    store = desk.outside.store(f"{flow.source.rstrip('/')}/rejects")
    rejects_name = fitted(f"{name}.rejects.csv")
    try:
        store.remove(rejects_name)
        digest = sha256()
        with store.upload(rejects_name) as upload:
            for chunk in _rejects(desk, book):
                digest.update(chunk)
                upload.write(chunk)
            upload.complete(digest.hexdigest())
    finally:
        store.close()
    return f", its refused rows are in rejects/{rejects_name}"


def _rejects(desk: Desk, book: _Book) -> Iterator[bytes]:
    staged = desk.staging.open(book.intake.noun, book.intake.sha256)
    if staged is None:
        yield _csv([REJECTS_COLUMNS])
        with desk.ledger.read() as tx:
            found = intakes.first_problems(tx, book.intake.id)
        yield _csv([[each.line or "", each.field or "", each.code, each.text, ""] for each in found])
        if not found:
            yield _csv([["", "", book.intake.refusal_code or "", book.intake.refusal_text or "", ""]])
        return
    with staged.rejects.open("rb") as file:
        while chunk := file.read(1 << 20):
            yield chunk
    for row in book.rows:
        with desk.ledger.read() as tx:
            refused = parcels.of_delivery(tx, row.id, ParcelState.REJECTED)
        for parcel in refused:
            for _, frame in staged.frames(row.destination, parcel.first_row, parcel.last_row):
                yield _csv(_refused_there(record, row.destination, parcel) for record in frame.iter_rows(named=True))


def _refused_there(record: dict[str, Any], destination: str, parcel: Row[Any]) -> list[Any]:
    raw = record.get("raw")
    fields = [value or "" for name, value in record.items() if name not in ("row", "line", "raw")]
    as_it_came = raw.decode("utf-8", "replace").rstrip("\r\n") if raw else _csv([fields]).decode().rstrip("\r\n")
    return [record["line"], destination, parcel.code, parcel.text, as_it_came]


def _csv(rows: Any) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
