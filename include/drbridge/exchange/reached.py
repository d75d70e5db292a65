"""Whether other systems have come as far as the ledger says, where they can be asked."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, select

from drbridge.exchange.asking import ask
from drbridge.exchange.books import Period
from drbridge.exchange.desk import Desk
from drbridge.exchange.findings import Finding, named
from drbridge.exchange.operations import operation_of
from drbridge.exchange.seal import opened
from drbridge.ledger import standings
from drbridge.ledger.database import Tx
from drbridge.ledger.states import ParcelState
from drbridge.ledger.tables import deliveries, intakes, messages, parcels
from drbridge.systems import Endpoint

AT_ONCE = 500


def compare(desk: Desk, endpoint: Endpoint, period: Period) -> tuple[int, list[Finding]]:
    """Asks for everything that the period's messages spoke of and that the other side took.

    Raises:
        DrBridgeError: it does not answer, or with no answer.
    """
    asking = operation_of(endpoint).asking
    assert asking is not None
    with desk.ledger.read() as tx:
        taken = {row.entity: row for row in _taken(tx, endpoint, period)}
        known = {each: found for part in _parts(list(taken)) for each, found in standings.of(tx, part).items()}
    paths: dict[str, tuple[str, str]] = {}
    for entity, standing in sorted(known.items(), key=lambda each: each[1].order_at):
        row = taken[entity]
        suffix = asking.suffix(opened(desk.seal, row.noun, row.sealed), row.first_row, desk.systems.site)
        if suffix:
            paths[endpoint.path + suffix] = (row.name, standing.state)
    behind = [
        paths[path][0]
        for path, reply in ask(desk, endpoint.connection, list(paths))
        if reply.status == 404 or asking.says_no(reply, paths[path][1])
    ]
    if not behind:
        return len(paths), []
    what = f"has not what it acknowledged of {named(behind)}"
    fix = "ask its owner what became of it: drbridge sends nothing again that was acknowledged"
    return len(paths), [Finding(endpoint.name, what, fix)]


def _taken(tx: Tx, endpoint: Endpoint, period: Period) -> list[Row[Any]]:
    """Parts of messages that took effect, the newest of an entity last; those whose content is deleted are left out."""
    return list(
        tx.execute(
            select(parcels.c.entity, parcels.c.first_row, intakes.c.noun, intakes.c.name, messages.c.sealed)
            .join_from(parcels, deliveries)
            .join(intakes)
            .join(messages, messages.c.intake_id == intakes.c.id)
            .where(
                deliveries.c.destination == endpoint.name,
                deliveries.c.opened_at >= period.since,
                deliveries.c.opened_at < period.until,
                parcels.c.state == ParcelState.ACKED,
                parcels.c.entity != "",
                messages.c.sealed != b"",
            )
            .order_by(parcels.c.order_at)
        )
    )


def _parts(entities: list[str]) -> list[list[str]]:
    return [entities[start : start + AT_ONCE] for start in range(0, len(entities), AT_ONCE)]
