"""What became of the rows of a file at one destination."""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

from sqlalchemy import Row

from drbridge.exchange.staging import StagedFile, view_of
from drbridge.exchange.trace_files import Hit
from drbridge.ledger import parcels
from drbridge.ledger.database import Tx
from drbridge.systems import Systems


class Fate(NamedTuple):
    """What became of a row.

    Attributes:
        state: of the parcel it travelled in, or why it did not travel.
        parcel: its number, if there is one.
    """

    state: str
    parcel: int | None
    tries: int
    answer: str


class Fates:
    """Finds out what became of rows of one delivery; the parcel found last is kept: the next row is often in it."""

    def __init__(self, systems: Systems, tx: Tx, staged: StagedFile, delivery: Row[Any]) -> None:
        self._tx, self._staged, self._delivery = tx, staged, delivery
        is_answer = systems.is_answer(delivery.flow, delivery.destination)
        self._goes_as_one = is_answer or delivery.destination in systems.stores
        self._parcel: Row[Any] | None = None
        self._overtaken: dict[int, frozenset[int]] = {}

    def of(self, hit: Hit) -> Fate:
        """What became of one line."""
        if self._goes_as_one:
            return self._whole
        if hit.row is None:
            return Fate("REJECTED", None, 0, hit.refusal)
        parcel = self._holding(hit.row)
        if hit.line in self._staged.lines_excluded:
            return _fate(parcel, "set aside", "a duplicate, or contradicted by another row of the file")
        if self._is_overtaken(parcel, hit.line):
            return _fate(parcel, "SUPERSEDED", "a newer file had settled it already")
        return _of_parcel(parcel)

    @cached_property
    def _whole(self) -> Fate:
        return _of_parcel(parcels.holding(self._tx, self._delivery.id, 0))

    def _holding(self, row: int) -> Row[Any] | None:
        last = self._parcel
        if last is None or not last.first_row <= row <= last.last_row:
            self._parcel = parcels.holding(self._tx, self._delivery.id, row)
        return self._parcel

    def _is_overtaken(self, parcel: Row[Any] | None, line: int) -> bool:
        """Whether a newer file overtook it: in the sending it last travelled in, or in any when it travels no more."""
        sendings = range(self._delivery.generation + 1) if parcel is None else [parcel.generation]
        return any(line in self._overtaken_in(number) for number in sendings)

    def _overtaken_in(self, sending: int) -> frozenset[int]:
        if sending not in self._overtaken:
            lines = self._staged.superseded_lines(view_of(self._delivery.destination, sending))
            self._overtaken[sending] = frozenset(lines)
        return self._overtaken[sending]


def _of_parcel(parcel: Row[Any] | None) -> Fate:
    if parcel is None:
        return Fate("not sent", None, 0, "")
    return _fate(parcel, parcel.state, f"{parcel.code or ''} {parcel.text or ''}".strip())


def _fate(parcel: Row[Any] | None, state: str, answer: str) -> Fate:
    return Fate(state, parcel.id if parcel else None, parcel.tries if parcel else 0, answer)
