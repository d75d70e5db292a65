"""Cutting the staged rows of a delivery into parcels, leaving out what a newer file has overtaken."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from sqlalchemy import Row, and_, or_, select

from drbridge.contracts import FILES
from drbridge.exchange.desk import Desk
from drbridge.exchange.operation import Shape
from drbridge.exchange.operations import operation_of
from drbridge.exchange.staging import StagedFile, view_of
from drbridge.ledger.database import Tx
from drbridge.ledger.deliveries import lane_of
from drbridge.ledger.leases import MOST_SHARES
from drbridge.ledger.parcels import Span
from drbridge.ledger.states import ParcelState
from drbridge.ledger.tables import deliveries, intakes, parcels
from drbridge.systems import Endpoint, Flow

RowNumbers = npt.NDArray[np.uint32]

ROWS_WORTH_A_SHARE = 5_000
TOOK_EFFECT = (ParcelState.ACKED, ParcelState.IN_FLIGHT, ParcelState.UNKNOWN, ParcelState.PARKED)


@dataclass(frozen=True)
class Plan:
    """How the rows of a delivery travel.

    Attributes:
        superseded_rows: rows left out because a newer file of the flow has settled their key.
    """

    spans: Iterator[Span]
    superseded_rows: int


@dataclass(frozen=True)
class Age:
    """Where a file stands among those of its lane: by business date, then by version."""

    business_at: float
    version_at: float


def cut(desk: Desk, tx: Tx, staged: StagedFile, flow: Flow, endpoint: Endpoint, age: Age) -> Plan:
    """Cuts a freshly staged file into the parcels of one endpoint."""
    overtaken = overtaken_lines(desk, tx, staged, lane_of(flow.name, endpoint.name), age)
    staged.supersede(endpoint.name, overtaken)
    return Plan(spans(staged, endpoint), overtaken.len())


def rows_left(
    staged: StagedFile, destination: str, old: Sequence[Row[Any]], overtaken: pl.Series, generation: int
) -> list[int]:
    """How many rows of each of some parcels may go in a new generation; those that may not are kept in its view."""
    earlier = [staged.superseded_lines(view_of(destination, number)) for number in {row.generation for row in old}]
    view = view_of(destination, generation)
    staged.supersede(view, pl.concat([overtaken, *earlier]).unique().sort())
    live = live_rows(staged, view)
    return [int(np.searchsorted(live, row.last_row, "right") - np.searchsorted(live, row.first_row)) for row in old]


def spans(staged: StagedFile, endpoint: Endpoint) -> Iterator[Span]:
    """The ranges of live rows that travel together, by the shape of the endpoint's operation."""
    shape: Shape = operation_of(endpoint).shape
    total, pieces = staged.manifest.rows, _live_pieces(staged, endpoint.name)
    if shape == "file":
        if count := sum(rows.size for rows in pieces):
            yield Span(0, total - 1, count)
    elif shape == "row":
        for rows in pieces:
            shares = _shares_of(total, endpoint, rows)
            yield from (Span(row, row, 1, share=share) for row, share in zip(rows.tolist(), shares, strict=True))
    else:
        yield from _chunks(pieces, total, endpoint)


def _chunks(pieces: Iterable[RowNumbers], total: int, endpoint: Endpoint) -> Iterator[Span]:
    """The chunks of a file in which anything lives."""
    counts = np.zeros(-(-total // endpoint.rows), np.int64)
    for rows in pieces:
        if rows.size:
            first_chunk = rows[0] // endpoint.rows
            here = np.bincount(rows // endpoint.rows - first_chunk)
            counts[first_chunk : first_chunk + here.size] += here
    firsts = (np.flatnonzero(counts) * endpoint.rows).astype(np.uint32)
    shares = _shares_of(total, endpoint, firsts)
    for first, count, share in zip(firsts.tolist(), counts[counts > 0].tolist(), shares, strict=True):
        yield Span(first, min(first + endpoint.rows, total) - 1, count, share=share)


def _shares_of(total: int, endpoint: Endpoint, rows: RowNumbers) -> list[int]:
    """In which share of a large delivery each row travels: ranges that follow each other, one for each sender."""
    shares = max(1, min(endpoint.senders, MOST_SHARES, total // ROWS_WORTH_A_SHARE))
    numbers: list[int] = (rows.astype(np.uint64) * shares // total).tolist()
    return numbers


def live_rows(staged: StagedFile, view: str, first: int = 0, last: int | None = None) -> RowNumbers:
    """The numbers of the staged rows in [first, last] that travel in a view, in order."""
    return np.concatenate([np.empty(0, np.uint32), *_live_pieces(staged, view, first, last)])


def _live_pieces(staged: StagedFile, view: str, first: int = 0, last: int | None = None) -> Iterator[RowNumbers]:
    return (frame["row"].to_numpy() for _, frame in staged.frames(view, first, last, columns=[]))


def halves(staged: StagedFile, view: str, first: int, last: int) -> list[Span]:
    """Two ranges that share the live rows of [first, last] as evenly as can be."""
    rows = live_rows(staged, view, first, last)
    middle = int(rows[rows.size // 2])
    return [
        Span(first, middle - 1, int((rows < middle).sum())),
        Span(middle, last, int((rows >= middle).sum())),
    ]


def overtaken_lines(desk: Desk, tx: Tx, staged: StagedFile, lane: str, age: Age) -> pl.Series:
    """Lines of a file whose key a newer file of the lane has settled, or may have."""
    keys = list(FILES[staged.manifest.noun].key)
    mine: pl.DataFrame | None = None
    lost = [pl.Series("line", [], dtype=pl.UInt32)]
    for newer, ranges in _newer_in_effect(desk, tx, lane, age):
        if mine is None:
            mine = pl.concat([frame for _, frame in staged.frames("", columns=keys)] or [_no_rows(keys)])
        for settled in _settled_keys(newer, ranges, keys):
            lost.append(mine.join(settled, on=keys, how="semi")["line"])
    return pl.concat(lost).unique().sort()


def _newer_in_effect(desk: Desk, tx: Tx, lane: str, age: Age) -> Iterator[tuple[StagedFile, list[tuple[int, int]]]]:
    at, version = deliveries.c.business_at, deliveries.c.version_at
    is_newer = or_(at > age.business_at, and_(at == age.business_at, version > age.version_at))
    newer = tx.execute(
        select(deliveries.c.id, deliveries.c.verdict, intakes.c.noun, intakes.c.sha256)
        .join_from(deliveries, intakes)
        .where(deliveries.c.lane == lane, is_newer)
    ).all()
    for row in newer:
        ranges = tx.execute(
            select(parcels.c.first_row, parcels.c.last_row).where(
                parcels.c.delivery_id == row.id, parcels.c.state.in_(TOOK_EFFECT)
            )
        ).all()
        file = desk.staging.open(row.noun, row.sha256, row.verdict)
        if ranges and file is not None:
            yield file, [(first, last) for first, last in ranges]


def _settled_keys(staged: StagedFile, ranges: list[tuple[int, int]], keys: list[str]) -> Iterator[pl.DataFrame]:
    first = np.sort(np.array([start for start, _ in ranges]))
    last = np.sort(np.array([end for _, end in ranges]))
    for _, frame in staged.frames("", columns=keys):
        rows = frame["row"].to_numpy()
        inside = np.searchsorted(first, rows, side="right") > np.searchsorted(last, rows, side="left")
        yield frame.filter(pl.Series(inside)).select(keys)


def _no_rows(keys: list[str]) -> pl.DataFrame:
    return pl.DataFrame(schema={"line": pl.UInt32, **dict.fromkeys(keys, pl.String)})
