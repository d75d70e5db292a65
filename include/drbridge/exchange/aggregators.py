"""Aggregators that DACS has deleted without a word, and DERMS still counts on: found by comparing both lists."""

from __future__ import annotations

from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from drbridge.contracts import aggregator
from drbridge.contracts.aggregator import Aggregator
from drbridge.errors import Rejected
from drbridge.exchange.accept import accept, read
from drbridge.exchange.asking import ask
from drbridge.exchange.desk import Desk
from drbridge.exchange.findings import Finding, named

CALLER = "reconcile"
TELL = "see whether the message of this change was refused or waits; if DACS never sent one, have it sent there"


class _Listed(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="ignore")

    aggregator_id: str | None = None
    external_reference_id: str
    status: str


class _List(BaseModel):
    aggregators: list[_Listed]


@dataclass(frozen=True)
class Compared:
    """What the comparison of both lists came to.

    Attributes:
        asked: how many aggregators were compared.
        removed: those that DERMS is told of: DACS has them no longer.
    """

    asked: int = 0
    removed: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def compare(desk: Desk) -> Compared:
    """Compares the lists, and has every deletion at DACS go to DERMS as a message of its own.

    DERMS is asked first: whatever it was told of, DACS had before. When more than half of what DERMS counts on is
    missing at DACS, its list is more likely wrong than they are gone: nothing is removed, a person looks.

    Raises:
        DrBridgeError: one of both does not answer, or not with a list.
    """
    lists = desk.systems.compare
    if not (lists.aggregators_at_dacs and lists.aggregators_at_derms):
        return Compared()
    if not desk.systems.flows_of_message(Aggregator.noun):
        return Compared()
    there = _listed(desk, lists.aggregators_at_derms)
    found_at = desk.clock.now()
    here = _listed(desk, lists.aggregators_at_dacs)
    active = {name for name, each in there.items() if each.status == "ACTIVE"}
    gone, findings = sorted(active - here.keys()), _differences(here, there)
    if len(gone) * 2 > len(active):
        what = f"DACS lists none of {named(gone)}, which is more than half of what DERMS counts on: none was removed"
        fix = "see whether DACS lists all it has; if they are gone indeed, set them INACTIVE at DERMS by hand"
        return Compared(len(here), [], [Finding("aggregators", what, fix), *findings])
    messages = [aggregator.removed(there[name].aggregator_id, name, found_at) for name in gone]
    receipts = accept(desk, [read(Aggregator.noun, each, CALLER) for each in messages])
    told = [name for name, receipt in zip(gone, receipts, strict=True) if receipt.is_new]
    return Compared(len(here), told, findings)


def _differences(here: dict[str, _Listed], there: dict[str, _Listed]) -> list[Finding]:
    active = {name for name, each in here.items() if each.status == "ACTIVE"}
    missing = sorted(name for name in active if name not in there or there[name].status != "ACTIVE")
    stale = sorted(
        name for name, each in there.items() if each.status == "ACTIVE" and name in here and name not in active
    )
    told = ((missing, "DERMS does not count on"), (stale, "DERMS still counts on, though DACS does not,"))
    return [Finding("aggregators", f"{what} {named(names)}", TELL) for names, what in told if names]


def _listed(desk: Desk, url: str) -> dict[str, _Listed]:
    """A system's aggregators, by the name that both have for them."""
    conn_id, _, path = url.removeprefix("rest://").partition("/")
    ((_, reply),) = ask(desk, conn_id, [f"/{path}"])
    try:
        found = _List.model_validate_json(reply.body)
    except ValidationError:
        raise Rejected(
            f"{conn_id} does not list its aggregators at /{path}",
            fix="correct [compare] in systems.toml, or tell its owner",
        ) from None
    return {each.external_reference_id: each for each in found.aggregators}
