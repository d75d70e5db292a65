"""Which staged parts name an id: beside each part lies a list of its ids, so that few parts are read to find a row.

The list of 00000.parquet is 00000.ids.parquet: one column `id`, each identifier column of the part sorted by itself. A
reader skips the stretches that cannot hold the id by their smallest and largest value.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import polars as pl

Parts = set[Path]
STRETCH_ROWS = 16_384


def path_of(part: Path) -> Path:
    """Where the list of a part's ids lies."""
    return part.with_suffix(".ids.parquet")


def write(part: Path, rows: pl.DataFrame, columns: Sequence[str]) -> None:
    """Lists the ids of a part's rows; a part without an identifier column has an empty list."""
    lists = [rows[name].drop_nulls().sort().alias("id") for name in columns if name in rows.columns]
    ids = pl.concat(lists) if lists else pl.Series("id", [], pl.String)
    ids.to_frame().write_parquet(
        path_of(part), compression="zstd", compression_level=1, row_group_size=STRETCH_ROWS
    )  # fmt: skip


def naming(parts: Iterable[Path], key: str) -> Parts:
    """Those of some parts that may name the key: all whose list does, and all that an older version left without one.

    One that is gone meanwhile is left out: what was staged of it was swept.
    """
    there = [part for part in parts if part.exists()]
    listed = {str(path_of(part)): part for part in there if path_of(part).exists()}
    unlisted = set(there) - set(listed.values())
    return unlisted | {listed[path] for path in _naming(list(listed), key)}


def _naming(lists: list[str], key: str) -> set[str]:
    if not lists:
        return set()
    found = pl.scan_parquet(lists, include_file_paths="path", glob=False).filter(pl.col("id") == key)
    return set(found.select("path").collect()["path"])
