"""Uploads that workers were lost in: noted before they begin, cleared away when nobody goes on with them for a day."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

from drbridge.errors import DrBridgeError
from drbridge.exchange.desk import Desk
from drbridge.exchange.findings import Finding
from drbridge.ledger import uploads
from drbridge.ledger.database import Ledger
from drbridge.systems import Store

CLEAR_AFTER_SECONDS = 86_400.0


@dataclass(frozen=True)
class Noted:
    """The ledger's note of one file on its way into a store."""

    ledger: Ledger
    store: str
    name: str

    def begin(self) -> bool:
        """Notes it; says whether an earlier try was noted and has not ended."""
        with self.ledger.write() as tx:
            return uploads.begin(tx, self.store, self.name)

    def end(self) -> None:
        """Strikes it out."""
        with self.ledger.write() as tx:
            uploads.end(tx, self.store, self.name)


@dataclass(frozen=True)
class Cleared:
    """What was cleared away.

    Attributes:
        uploads: lost ones, each with its parts or its hidden file.
        unreached: places that could not be looked into; their turn comes again.
    """

    uploads: int = 0
    unreached: tuple[Finding, ...] = ()


def clear(desk: Desk) -> Cleared:
    """Clears away what uploads of ours left that nobody went on with for a day.

    One place that cannot be reached keeps no other from its turn.
    """
    before = desk.clock.now().timestamp() - CLEAR_AFTER_SECONDS
    with desk.ledger.read() as tx:
        begun = uploads.begun_before(tx, before)
    count, unreached = 0, list[Finding]()
    for url in sorted({*_written_to(desk), *begun}):
        names = begun.get(url, [])
        try:
            with closing(desk.outside.store(url)) as store:
                count += store.clear(before, names)
        except DrBridgeError as error:
            unreached.append(Finding(url, f"could not be looked into: {error.what}", error.fix))
            continue
        if names:
            with desk.ledger.write() as tx:
                uploads.forget(tx, url, names, before)
    return Cleared(count, tuple(unreached))


def _written_to(desk: Desk) -> Iterator[str]:
    """The places that switched-on flows put files into: their stores, and beside their sources."""
    for flow in filter(desk.systems.is_on, desk.systems.flows.values()):
        if flow.source:
            yield from (*flow.source.split(), flow.rejects)
        for destination in map(desk.systems.destination, flow.deliver):
            if isinstance(destination, Store):
                yield destination.url
