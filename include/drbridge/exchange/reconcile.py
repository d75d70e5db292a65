"""Reconciling a day: do the books balance, and do the other systems have what the ledger says they have?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial

from drbridge.errors import DrBridgeError
from drbridge.exchange import aggregators, reached, stored
from drbridge.exchange.books import Book, Period, books
from drbridge.exchange.desk import Desk
from drbridge.exchange.findings import Finding
from drbridge.exchange.operations import operation_of


@dataclass
class Reconciled:
    """What the look at a day came to.

    Attributes:
        books: of what came in on that day.
        asked: per place, how many things were asked for there.
        removed: aggregators that DERMS is told of now, for DACS has them no longer.
        findings: differences.
    """

    day: date
    books: list[Book] = field(default_factory=list)
    asked: dict[str, int] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def reconcile(desk: Desk, day: date) -> Reconciled:
    """Looks at everything that came in on a day (UTC). One system that does not answer keeps no other from its turn."""
    found, period = Reconciled(day), _period(day)
    with desk.ledger.read() as tx:
        found.books = books(tx, period=period)
    found.findings += [_unbalanced(book) for book in found.books if book.wrong]
    for name, look in _looks(desk, period):
        try:
            found.asked[name], findings = look()
        except DrBridgeError as error:
            findings = [Finding(name, f"could not be asked: {error.what}", error.fix or "trigger this again")]
        found.findings += findings
    _aggregators(desk, found)
    return found


def _period(day: date) -> Period:
    begin = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return Period(begin.timestamp(), (begin + timedelta(days=1)).timestamp())


def _unbalanced(book: Book) -> Finding:
    return Finding(
        f"{book.flow} > {book.destination}",
        f"the rows do not add up in deliveries {', '.join(map(str, book.wrong))}",
        "this must not happen: keep the ledger as it is, and report it with `drbridge ledger show` of each",
    )


def _looks(desk: Desk, period: Period) -> Iterator[tuple[str, Callable[[], tuple[int, list[Finding]]]]]:
    """The places of switched-on flows that can be asked, each once."""
    used = {name for flow in desk.systems.flows.values() if desk.systems.is_on(flow) for name in flow.deliver}
    for store in desk.systems.stores.values():
        if store.name in used:
            yield store.name, partial(stored.compare, desk, store, period)
    for endpoint in desk.systems.endpoints.values():
        if endpoint.name in used and operation_of(endpoint).asking is not None:
            yield endpoint.name, partial(reached.compare, desk, endpoint, period)


def _aggregators(desk: Desk, found: Reconciled) -> None:
    try:
        compared = aggregators.compare(desk)
    except DrBridgeError as error:
        found.findings.append(Finding("aggregators", f"could not be compared: {error.what}", error.fix))
        return
    if compared.asked:
        found.asked["aggregators"] = compared.asked
    found.removed += compared.removed
    found.findings += compared.findings
