"""What a day came to: the far side beside the prediction, and the ledger's own books."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlalchemy import func, select

from drbridge.exchange.books import books
from drbridge.ledger.states import SETTLED
from drbridge.ledger.tables import deliveries, parcels
from drbridge_sandbox.day import Day, Difference, Messages, compare, together
from tests.faults.soak.stage import Stage

KINDS = ("lost", "duplicated", "torn", "left open", "otherwise wrong")


@dataclass
class Verdict:
    """What is not as it should be.

    Attributes:
        counts: of what kind, how many.
        texts: each in words.
    """

    counts: Counter[str] = field(default_factory=Counter)
    texts: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return not self.texts

    def note(self, kind: str, count: int, text: str) -> None:
        self.counts[kind] += count
        self.texts.append(f"{kind}: {text}")


def judge(stage: Stage, day: Day, messages: Messages) -> Verdict:
    """Compares all of a day; the books are those of all days so far."""
    found = Verdict()
    for difference in compare(together(day.prediction, messages.prediction), stage.box):
        found.note(kind_of(difference), _how_many(difference), str(difference))
    with stage.ledger.read() as tx:
        for book in books(tx):
            if book.wrong:
                found.note("otherwise wrong", len(book.wrong), f"{book.flow} > {book.destination}: books {book.wrong}")
        unsettled = select(deliveries.c.flow, deliveries.c.state, func.count()).where(
            deliveries.c.state.not_in(SETTLED)
        )
        for flow, state, count in tx.execute(unsettled.group_by(deliveries.c.flow, deliveries.c.state)).all():
            found.note("left open", count, f"{count} deliveries of {flow} are {state}")
    for name in stage.waiting_files(day):
        found.note("left open", 1, f"{name} still has its first name")
    return found


def rows_and_effects(stage: Stage, day: Day, messages: Messages, since: float) -> tuple[int, int, Counter[str]]:
    """Rows that were taken in since, effects that the prediction names, and how the rows' parcels ended."""
    with stage.ledger.read() as tx:
        rows = tx.execute(select(func.sum(deliveries.c.rows)).where(deliveries.c.opened_at >= since)).scalar_one() or 0
        ends = tx.execute(
            select(parcels.c.state, func.count())
            .join_from(parcels, deliveries)
            .where(deliveries.c.opened_at >= since)
            .group_by(parcels.c.state)
        ).all()
    all_of_it = together(day.prediction, messages.prediction)
    effects = sum(map(len, all_of_it.effects.values())) + sum(all_of_it.keys.values()) + len(all_of_it.acks)
    relayed = sum(len(file.relays) for file in all_of_it.files)
    return int(rows), effects + relayed, Counter({str(state): int(count) for state, count in ends})


def kind_of(difference: Difference) -> str:
    """Which promise a difference breaks."""
    what, found = difference.what, difference.found
    if "without effect" in what or found in ("none", "nothing", "[]"):
        return "lost"
    if any(word in what for word in ("not just once", "more than one effect", "unexpected", "other ")):
        return "duplicated"
    if what.startswith(("sha256 of", "attachment of")):
        return "torn"
    return "left open" if what == "name of the source" else "otherwise wrong"


def _how_many(difference: Difference) -> int:
    count = re.match(r"\d+(?= (without|not just|unexpected))", difference.what)
    return int(count.group()) if count else 1


def some(texts: Iterable[str], most: int = 6) -> str:
    """The first few of many."""
    found = list(texts)
    return "; ".join(found[:most]) + (f"; and {len(found) - most} more" if len(found) > most else "")
