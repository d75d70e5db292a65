"""Cutting the staged rows of a delivery into parcels, leaving out what a newer file has overtaken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from sqlalchemy import select

from drbridge.exchange.desk import Desk
from drbridge.exchange.operations import Shape, operation_of
from drbridge.exchange.staging import StagedFile
from drbridge.ledger.database import Tx
from drbridge.ledger.deliveries import lane_of
from drbridge.ledger.parcels import Span
from drbridge.ledger.states import ParcelState
from drbridge.ledger.tables import deliveries, intakes, parcels
from drbridge.systems import Endpoint, Flow

if TYPE_CHECKING:
    from drbridge.exchange.receive import Received

TOOK_EFFECT = (ParcelState.ACKED, ParcelState.IN_FLIGHT, ParcelState.UNKNOWN)


@dataclass(frozen=True)
class Plan:
    """How the rows of a delivery travel.

    Attributes:
        superseded_rows: rows left out because a newer file of the flow has settled their key.
    """

    spans: Iterator[Span]
    superseded_rows: int


def cut(desk: Desk, tx: Tx, received: Received, flow: Flow, endpoint: Endpoint) -> Plan:
    """Cuts a freshly staged file into the parcels of one endpoint."""
    assert received.staged is not None
    staged, keys = received.staged, list(received.contract.key)
    overtaken = _overtaken(desk, tx, staged, keys, lane_of(flow.name, endpoint.name), received.business_at)
    if overtaken.len():
        staged.supersede(endpoint.name, overtaken)
    return Plan(spans(staged, endpoint), overtaken.len())


def spans(staged: StagedFile, endpoint: Endpoint) -> Iterator[Span]:
    """The ranges of live rows that travel together, by the shape of the endpoint's operation."""
    shape: Shape = operation_of(endpoint).shape
    live = [frame["row"].to_numpy() for _, frame in staged.frames(endpoint.name, columns=[])]
    rows = np.concatenate(live) if live else np.empty(0, dtype=np.uint32)
    if not rows.size:
        return
    if shape == "file":
        yield Span(0, staged.manifest.rows - 1, int(rows.size))
    elif shape == "row":
        yield from (Span(int(row), int(row), 1) for row in rows)
    else:
        chunks, counts = np.unique(rows // endpoint.rows, return_counts=True)
        last = staged.manifest.rows - 1
        for chunk, count in zip(chunks.tolist(), counts.tolist(), strict=True):
            first = chunk * endpoint.rows
            yield Span(first, min(first + endpoint.rows - 1, last), count)


def halves(staged: StagedFile, destination: str, first: int, last: int) -> list[Span]:
    """Two ranges that share the live rows of [first, last] as evenly as can be."""
    live = [frame["row"].to_numpy() for _, frame in staged.frames(destination, first, last, columns=[])]
    rows = np.concatenate(live)
    middle = int(rows[rows.size // 2])
    return [
        Span(first, middle - 1, int((rows < middle).sum())),
        Span(middle, last, int((rows >= middle).sum())),
    ]


def _overtaken(desk: Desk, tx: Tx, staged: StagedFile, keys: list[str], lane: str, business_at: float) -> pl.Series:
    mine: pl.DataFrame | None = None
    lost: list[pl.Series] = []
    for newer, ranges in _newer_in_effect(desk, tx, lane, business_at):
        if mine is None:
            mine = pl.concat([frame for _, frame in staged.frames("", columns=keys)] or [_no_rows(keys)])
        for destination_frame in _settled_keys(newer, ranges, keys):
            lost.append(mine.join(destination_frame, on=keys, how="semi")["line"])
    return pl.concat(lost).unique().sort() if lost else pl.Series("line", [], dtype=pl.UInt32)


def _newer_in_effect(
    desk: Desk, tx: Tx, lane: str, business_at: float
) -> Iterator[tuple[StagedFile, list[tuple[int, int]]]]:
    newer = tx.execute(
        select(deliveries.c.id, intakes.c.noun, intakes.c.sha256)
        .join_from(deliveries, intakes)
        .where(deliveries.c.lane == lane, deliveries.c.business_at > business_at)
    ).all()
    for row in newer:
        ranges = tx.execute(
            select(parcels.c.first_row, parcels.c.last_row).where(
                parcels.c.delivery_id == row.id, parcels.c.state.in_(TOOK_EFFECT)
            )
        ).all()
        file = desk.staging.open(row.noun, row.sha256)
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
