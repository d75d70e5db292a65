"""Which rows are taken at a glance, without their model's being asked."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl

from drbridge.contracts import CONTRACTS, Contract

NOW = datetime(2026, 7, 15, 12, tzinfo=UTC)

Change = dict[str, str | None]


def at_a_glance(noun: str, row: Change) -> bool:
    """Whether a row is taken without the model's being asked; one with a delimiter in it is no such row."""
    contract, text = CONTRACTS[noun], ",".join(value or "" for value in row.values())
    if text.count(",") != len(row) - 1:
        return False
    frame = pl.DataFrame([row], schema=dict.fromkeys(row, pl.String))
    return matched(contract, list(row), ",", text) == [True] and bool(contract.surely_fit(frame, NOW)[0])


def matched(contract: Contract, names: list[str], mark: str, *lines: str) -> list[bool]:
    """Which lines are surely good, field by field."""
    return pl.DataFrame({"row": lines}).select(contract.sure_row(names, mark)).to_series().to_list()
