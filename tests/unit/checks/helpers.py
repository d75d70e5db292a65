"""Checking bytes in memory, and saying what came out in a form that is easy to compare."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from drbridge.checks import CheckedBlock, FileCheck, FileReport, Limits
from drbridge.contracts import CONTRACTS, Contract
from drbridge.spans import OpenFile, Spans

NOW = datetime(2026, 7, 15, 12, tzinfo=UTC)


@dataclass
class Checked:
    report: FileReport
    blocks: list[CheckedBlock]
    opened: int

    @property
    def frame(self) -> pl.DataFrame:
        """Accepted rows, without those excluded at the end."""
        if not self.blocks or self.report.refusal:
            return pl.DataFrame({"line": []}, schema={"line": pl.UInt32})
        whole = pl.concat([block.frame for block in self.blocks])
        return whole.join(self.report.excluded, on="line", how="anti", maintain_order="left")

    @property
    def accepted(self) -> set[int]:
        return set(self.frame["line"].to_list())

    @property
    def rejected(self) -> dict[int, set[tuple[str, str]]]:
        found: dict[int, set[tuple[str, str]]] = {}
        for each in self.report.problems():
            found.setdefault(each.line, set()).add((each.field, each.code))
        return found

    @property
    def refusal(self) -> str:
        return self.report.refusal.code if self.report.refusal else ""


def opener(data: bytes, chunk: int) -> OpenFile:
    @contextmanager
    def open_file(spans: Spans | None = None) -> Iterator[Iterator[bytes]]:
        wanted = [(0, len(data))] if spans is None else spans
        yield (data[at : min(at + chunk, end)] for start, end in wanted for at in range(start, end, chunk))

    return open_file


def check(
    contract: Contract | str, data: bytes, workdir: Path, *, chunk: int = 1 << 16, delimiter: str = ",",
    limits: Limits | None = None,
) -> Checked:  # fmt: skip
    contract = CONTRACTS[contract] if isinstance(contract, str) else contract
    opened = 0
    give = opener(data, chunk)

    def counting(spans: Spans | None = None) -> AbstractContextManager[Iterator[bytes]]:
        nonlocal opened
        opened += 1
        return give(spans)

    run = FileCheck(contract, workdir=workdir, now=NOW, delimiter=delimiter, limits=limits or Limits())
    blocks = list(run.blocks(counting))
    return Checked(run.report(), blocks, opened)
