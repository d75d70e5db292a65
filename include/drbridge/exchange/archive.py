"""The verdict on a file: once all of it is settled, its source is renamed and its refused rows are laid beside it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from typing import Any

from sqlalchemy import Row

from drbridge.errors import Unstable
from drbridge.exchange import notices
from drbridge.exchange.desk import Desk
from drbridge.exchange.naming import fitted
from drbridge.exchange.notices import Seen
from drbridge.exchange.receive import fingerprint, known_intake
from drbridge.exchange.rejects import rejected_rows
from drbridge.exchange.turns import move_record
from drbridge.ledger import deliveries, intakes, parcels
from drbridge.ledger.database import Tx
from drbridge.ledger.deliveries import Balance
from drbridge.ledger.intakes import Fingerprint
from drbridge.ledger.states import MOVING, SETTLED, DeliveryState, ParcelState
from drbridge.ports import AlreadyThere, FileStore
from drbridge.systems import Flow

MOST_NAMESAKES = 1_000

# The next step of each verdict that is not the last.
NOT_YET = "nothing: the rest goes by itself; if this lasts, call the owner of the other side"
HELD = "read why; once the cause is gone, trigger the flow with this file and resend = failed"
IN_DOUBT = (
    "do what the reason says; where nobody knows whether the other side has the rows, ask it, and if it has not, "
    "trigger the flow with this file and resend = unknown"
)
REFUSED = "tell the sender; once the cause is gone, trigger the flow with this file and resend = failed"


@dataclass(frozen=True)
class Verdict:
    """What the operator sees of one file at the end of a run.

    Attributes:
        state: settled, refused, open (something still has to go), needs_person, gone.
        counts: rows by where they are, for each destination of this flow.
        fix: the next step, where one is to be taken or waited for.
    """

    name: str
    state: str
    text: str
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    fix: str = ""

    def __str__(self) -> str:
        return f"{self.text}. Next: {self.fix}" if self.fix else self.text

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


@dataclass(frozen=True)
class _Book:
    """What the ledger says of a file: its intake, all its deliveries and their balances.

    Attributes:
        moving: deliveries of which something still goes by itself.
        unsettled: flows that have not ended with the file, or have yet to begin.
    """

    intake: Row[Any]
    rows: list[Row[Any]]
    balances: dict[int, Balance]
    reasons: dict[int, str]
    moving: set[int]
    unsettled: set[str]

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
    _note(desk, flow, book, verdict)
    if book.unsettled:
        others = sorted(book.unsettled - {flow.name})
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
        settled = {(row.flow, row.destination) for row in rows if row.state in SETTLED}
        return _Book(
            intakes.by_id(tx, sighting.intake_id),
            rows,
            deliveries.balances(tx, [row.id for row in rows]),
            {row.id: _reason(tx, row) for row in rows},
            {row.id for row in rows if row.state == DeliveryState.ASKED or parcels.has_any(tx, row.id, MOVING)},
            {flow_name for flow_name, _ in carried - settled},
        )


def _reason(tx: Tx, delivery: Row[Any]) -> str:
    if delivery.note:
        return str(delivery.note)
    if parked := parcels.of_delivery(tx, delivery.id, ParcelState.PARKED):
        return str(parked[0].text)
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
    told = "; ".join(f"{row.destination}: {book.balances[row.id].in_words}" for row in mine)
    if held := [row for row in mine if row.state == DeliveryState.HELD]:
        return Verdict(name, "needs_person", f"{name} is held: {held[0].note}. {told}", counts, HELD)
    if any(row.id in book.moving for row in mine) or len(mine) < len(flow.deliver):
        return Verdict(name, "open", f"{name} is not settled yet. {told}", counts, NOT_YET)
    if any(row.state not in SETTLED for row in mine):
        why = "; ".join(sorted({book.reasons[row.id] for row in mine if row.state not in SETTLED}))
        return Verdict(name, "needs_person", f"{name} waits for a person: {why}. {told}", counts, IN_DOUBT)
    refused = [row for row in mine if book.was_refused(row)]
    if refused:
        why = book.reasons[refused[0].id]
        return Verdict(name, "refused", f"{name} was refused: {why}. {told}", counts, REFUSED)
    return Verdict(name, "settled", f"{name} is settled. {told}", counts)


def _note(desk: Desk, flow: Flow, book: _Book, verdict: Verdict) -> None:
    """Writes down what people are to be told, before the source gets its last name: so it cannot be lost."""
    mine = book.of(flow)
    generation = max((row.generation for row in mine), default=0)
    balances = {row.destination: book.balances[row.id] for row in mine}
    seen = Seen(verdict.name, book.intake, [row.id for row in mine], generation, balances)
    notices.of_file(desk, flow, seen, verdict.state, verdict.fix)


def _with(verdict: Verdict, text: str) -> Verdict:
    return replace(verdict, text=f"{verdict.text}. {text}") if text else verdict


def _put_away(desk: Desk, flow: Flow, book: _Book, name: str, new_name: str) -> str:
    """Lays the refused rows beside the source and renames it, if it is still the file that was taken."""
    store = desk.outside.store(flow.source)
    try:
        final, told = _renamed(desk, flow, book, store, name, new_name)
        if final is None:
            return ""
        store.remove(fitted(name + flow.done_marker))
        move_record(flow, store, name, final)
    finally:
        store.close()
    with desk.ledger.write() as tx:
        intakes.renamed(tx, book.intake.id, flow.source, name, final)
    return f"Its source is {final} now{told}"


def _already_away(desk: Desk, flow: Flow, book: _Book, store: FileStore, new_name: str) -> str | None:
    """The name that a source which is gone got from a worker that was cut off, or is a step ahead of us."""
    with desk.ledger.read() as tx:
        last = intakes.sighting_in(tx, book.intake.id, flow.source)
    if last is None or last.renamed_to is not None:
        return None
    for number in range(1, MOST_NAMESAKES):
        there = fingerprint(store, _numbered(new_name, number))
        if there is None:
            return None
        if there.looks_like(last):
            return there.name
    return None


def _numbered(name: str, number: int) -> str:
    return fitted(name if number == 1 else f"{name}.{number}")


def _renamed(desk: Desk, flow: Flow, book: _Book, store: FileStore, name: str, new_name: str) -> tuple[str | None, str]:
    """Gives the source its last name. None: it is gone, or another worker gave it that name just before us."""
    seen, told = _still_there(desk, flow, book, store, name), ""
    if seen is not None:
        told = _lay_rejects(desk, flow, book, store, seen)
        seen = _still_there(desk, flow, book, store, name)
    if seen is not None:
        try:
            return _given_name(store, seen, new_name), told
        except Unstable:
            if fingerprint(store, name) is not None:
                raise
    return _already_away(desk, flow, book, store, new_name), told


def _given_name(store: FileStore, seen: Fingerprint, new_name: str) -> str:
    """Renames the source; an older file of the new name keeps it, and ours gets a number."""
    for number in range(1, MOST_NAMESAKES):
        final = _numbered(new_name, number)
        if _is_others(store, final, seen):
            continue
        try:
            store.rename(seen.name, final)
        except AlreadyThere:
            continue
        moved = fingerprint(store, final)
        if moved is None or not moved.looks_like(seen):
            _give_back(store, final, seen.name)
            raise _another(seen.name)
        return final
    raise Unstable(f"{new_name} is there a thousand times", fix=f"clear {store.url} up")


def _still_there(desk: Desk, flow: Flow, book: _Book, store: FileStore, name: str) -> Fingerprint | None:
    """The file that was taken, if it is still there; None when there is none, and no other may be taken for it."""
    seen = fingerprint(store, name)
    if seen is None:
        return None
    known = known_intake(desk, flow.source, name, seen)
    if known is None or known.id != book.intake.id:
        raise _another(name)
    return seen


def _is_others(store: FileStore, name: str, seen: Fingerprint) -> bool:
    """Whether another file has the name. One that looks like ours may be ours, half renamed: the store knows."""
    there = fingerprint(store, name)
    return there is not None and not there.looks_like(seen)


def _give_back(store: FileStore, final: str, name: str) -> None:
    """A file that came while we renamed gets a name back under which it is taken: its own, or a numbered one."""
    for number in range(1, MOST_NAMESAKES):
        try:
            return store.rename(final, _numbered(name, number))
        except AlreadyThere:
            continue


def _another(name: str) -> Unstable:
    return Unstable(f"{name} is another file than the one that was taken", fix="nothing: the next run takes it")


def _lay_rejects(desk: Desk, flow: Flow, book: _Book, source: FileStore, seen: Fingerprint) -> str:
    """Writes `rejects/<name>.rejects.csv` beside the source; says so, or nothing when no row was refused.

    The list of another file of that name, which lies there as `Sent-` or `Error-`, stays: ours gets a number. What an
    earlier judgement of this file left there gives way.
    """
    rejects_name = fitted(f"{_free_for_rejects(desk, source, seen)}.rejects.csv")
    store = desk.outside.store(flow.rejects)
    try:
        if not book.intake.refusal_text and not any(each.rejected or each.flagged for each in book.balances.values()):
            with desk.ledger.read() as tx:
                was_judged_before = intakes.was_put_away(tx, book.intake.id, flow.source)
            if was_judged_before:
                store.remove(rejects_name)
            return ""
        store.remove(rejects_name)
        digest = sha256()
        with suppress(AlreadyThere), store.upload(rejects_name) as upload:
            for chunk in rejected_rows(desk, book.intake, book.rows):
                digest.update(chunk)
                upload.write(chunk)
            upload.complete(digest.hexdigest())
    finally:
        store.close()
    return f", its refused rows are in rejects/{rejects_name}"


def _free_for_rejects(desk: Desk, source: FileStore, seen: Fingerprint) -> str:
    prefixes = (desk.systems.site.sent_prefix, desk.systems.site.error_prefix)
    for number in range(1, MOST_NAMESAKES):
        if not any(_is_others(source, _numbered(prefix + seen.name, number), seen) for prefix in prefixes):
            return _numbered(seen.name, number)
    return seen.name
