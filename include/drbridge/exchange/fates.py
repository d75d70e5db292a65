"""What became of the rows of a file at one destination."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from itertools import groupby
from typing import Any, NamedTuple

from sqlalchemy import Row

from drbridge.exchange.staging import StagedFile, view_of
from drbridge.exchange.trace_files import Lines
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
    """Finds out what became of the lines of a file in one delivery."""

    def __init__(self, systems: Systems, tx: Tx, staged: StagedFile, delivery: Row[Any]) -> None:
        self._tx, self._staged, self._delivery = tx, staged, delivery
        is_answer = systems.is_answer(delivery.flow, delivery.destination)
        self._goes_as_one = is_answer or delivery.destination in systems.stores
        self._overtaken: dict[int, frozenset[int]] = {}

    def of(self, lines: Lines) -> Iterator[tuple[int, int, Fate]]:
        """The first and the last of those lines that had one fate, and that, in their order."""
        if self._goes_as_one:
            yield lines.first, lines.last, self._whole
        elif lines.row is None:
            yield lines.first, lines.last, Fate("REJECTED", None, 0, lines.refusal)
        else:
            ahead = lines.first - lines.row
            for first, last, parcel in self._parcels(lines.row, lines.last - ahead):
                yield from self._in_parcel(range(first + ahead, last + ahead + 1), lines.is_excluded, parcel)

    @cached_property
    def _whole(self) -> Fate:
        return _of_parcel(parcels.holding(self._tx, self._delivery.id, 0))

    def _parcels(self, first: int, last: int) -> Iterator[tuple[int, int, Row[Any] | None]]:
        """The staged rows from the first to the last by the parcel they travel in now, or None."""
        row = first
        for parcel in parcels.holding_any(self._tx, self._delivery.id, first, last):
            if row < parcel.first_row:
                yield row, parcel.first_row - 1, None
            yield max(row, parcel.first_row), min(last, parcel.last_row), parcel
            row = parcel.last_row + 1
        if row <= last:
            yield row, last, None

    def _in_parcel(self, lines: range, excluded: bool, parcel: Row[Any] | None) -> Iterator[tuple[int, int, Fate]]:
        if excluded:
            text = "a duplicate, or contradicted by another row of the file"
            yield lines[0], lines[-1], _fate(parcel, "set aside", text)
            return
        overtaken = self._lines_overtaken(parcel)
        for is_overtaken, run in groupby(lines, key=overtaken.__contains__):
            first, *others = run
            fate = _of_parcel(parcel)
            if is_overtaken:
                fate = _fate(parcel, "SUPERSEDED", "a newer file had settled it already")
            yield first, others[-1] if others else first, fate

    def _lines_overtaken(self, parcel: Row[Any] | None) -> frozenset[int]:
        """What a newer file overtook: in the sending they last travelled in, or in any when they travel no more."""
        if not self._delivery.superseded_rows:
            return frozenset()
        sendings = range(self._delivery.generation + 1) if parcel is None else [parcel.generation]
        return frozenset().union(*(self._overtaken_in(number) for number in sendings))

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
