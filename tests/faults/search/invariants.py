"""What must hold at the end of every schedule, each by its name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Row, select

from drbridge.ledger import deliveries as book
from drbridge.ledger.parcels import IN_DOUBT
from drbridge.ledger.states import UNFINISHED, DeliveryState, ParcelState
from drbridge.ledger.tables import deliveries, intakes, parcels
from tests.faults.search.far import Far
from tests.faults.search.worlds import Begun, Wanted

WENT = ("accepted", "already_done", "asked")
OUT_OF_ORDER = "doubt"  # the code of a step whose predecessor never came: a person decides, whatever the policy


class Violation(AssertionError):
    """An invariant does not hold.

    Attributes:
        invariant: its name.
        trail: the steps that led there.
    """

    def __init__(self, invariant: str, what: str, trail: tuple[str, ...] = ()) -> None:
        steps = "".join(f"\n  {number}. {step}" for number, step in enumerate(trail, 1))
        super().__init__(f"{invariant}: {what}{steps}")
        self.invariant, self.what, self.trail = invariant, what, trail


class End:
    """What ledger and other side hold when everything is over."""

    def __init__(self, begun: Begun, far: Far) -> None:
        self.world, self.wanted, self.far = begun.world, begun.wanted, far
        self.most_tries = begun.place.endpoint.max_tries
        with begun.place.desk.ledger.read() as tx:
            self.deliveries = tx.execute(select(deliveries)).all()
            self.balances = book.balances(tx, [row.id for row in self.deliveries])
            look = select(parcels, intakes.c.sha256).join_from(parcels, deliveries).join(intakes)
            every = tx.execute(look).all()
        self.unfinished = {row.delivery_id for row in every if row.state in UNFINISHED}
        mine = {row.id for row in self.deliveries if row.lane == begun.place.lane}
        self.parcels = [row for row in every if row.delivery_id in mine]
        self.effects = Counter(far.effects)

    def wanted_of(self, parcel: Row[Any]) -> list[Wanted]:
        """What its rows are to bring about."""
        rows = range(parcel.first_row, parcel.last_row + 1)
        return [self.wanted[parcel.sha256, row] for row in rows]

    def had(self, parcel: Row[Any]) -> list[int]:
        """How often each of its rows took effect."""
        return [self.effects[each.meaning] for each in self.wanted_of(parcel)]


def _accounting_balances(end: End) -> Iterator[str]:
    yield from (f"delivery {number}: {each}" for number, each in end.balances.items() if not each.balances)


def _acked_is_there(end: End) -> Iterator[str]:
    sent = (row for row in end.parcels if row.state == ParcelState.ACKED and row.code in WENT)
    yield from (f"parcel {row.id} is ACKED ({row.code}), its target has it not" for row in sent if 0 in end.had(row))


def _once_per_key(end: End) -> Iterator[str]:
    yield from (f"{what} took effect {count} times" for what, count in end.effects.items() if count > 1)
    yield from (f"key {key[:8]} took effect {count} times" for key, count in Counter(end.far.keys).items() if count > 1)


def _refused_is_not_there(end: End) -> Iterator[str]:
    for row in end.parcels:
        if row.state in (ParcelState.REJECTED, ParcelState.SUPERSEDED) and any(end.had(row)):
            yield f"parcel {row.id} is {row.state} ({row.code}), its target has it"


def _older_never_after_newer(end: End) -> Iterator[str]:
    known = {each.meaning: each for each in end.wanted.values()}
    newest: dict[str, float] = {}
    for each in (known[what] for what in end.far.effects):
        if each.entity and each.order_at < newest.get(each.entity, each.order_at):
            yield f"an older version of {each.entity[:8]} took effect after a newer one"
        newest[each.entity] = max(each.order_at, newest.get(each.entity, each.order_at))


def _done_is_done(end: End) -> Iterator[str]:
    for row in end.deliveries:
        is_done, is_judged = row.state == DeliveryState.DONE, row.state in (DeliveryState.OPEN, DeliveryState.DONE)
        if is_judged and is_done == (row.id in end.unfinished):
            yield f"delivery {row.id} is {row.state}, its parcels say otherwise"


def _all_has_an_end(end: End) -> Iterator[str]:
    held = {row.id for row in end.deliveries if row.state == DeliveryState.HELD}
    for row in end.parcels:
        is_for_a_person = row.state == ParcelState.PARKED and (
            row.code == OUT_OF_ORDER
            or (row.code == IN_DOUBT and (end.world.policy == "park" or row.tries >= end.most_tries))
        )
        if row.state in UNFINISHED and not is_for_a_person and row.delivery_id not in held:
            yield f"parcel {row.id} is {row.state} ({row.code}) though faults have stopped"


INVARIANTS: dict[str, Callable[[End], Iterator[str]]] = {
    "I1 accounting balances": _accounting_balances,
    "I2 ACKED is there": _acked_is_there,
    "I3 effects per key <= 1": _once_per_key,
    "I4 refused or superseded is not there": _refused_is_not_there,
    "I5 no older after a newer": _older_never_after_newer,
    "I7 done <=> all parcels terminal": _done_is_done,
    "I9 everything ends": _all_has_an_end,
}
FENCED = "I6 fenced changes nothing"
QUIET = "I10 another run makes no call"


def check(begun: Begun, far: Far, trail: tuple[str, ...]) -> None:
    """Holds every invariant against the end of a schedule.

    Raises:
        Violation: one does not hold.
    """
    end = End(begun, far)
    for name, look in INVARIANTS.items():
        for what in look(end):
            raise Violation(name, what, trail)
