"""What a check was told to bear, and what it found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Literal

import polars as pl

from drbridge.checks.spool import Spool
from drbridge.contracts import Problem
from drbridge.errors import BadInput

RawLine = bytes
Verdict = Literal["accepted", "accepted_with_rejects", "refused"]


@dataclass(frozen=True)
class Limits:
    """What a file may weigh.

    Attributes:
        max_bytes: as it lies, compressed or not.
        max_unpacked_bytes: what a gzip or zip may grow to.
        max_field_bytes: of one field; a longer one is the sign of a lost quote.
        max_row_bytes: of one row; a longer one is the sign of lost line ends.
        block_bytes, block_rows, block_fields: how much is looked at in one go; it bounds the memory that a check takes.
    """

    max_bytes: int = 1 << 30
    max_unpacked_bytes: int = 10 << 30
    max_field_bytes: int = 1_000_000
    max_row_bytes: int = 4 << 20
    block_bytes: int = 2_500_000
    block_rows: int = 100_000
    block_fields: int = 800_000


@dataclass(frozen=True)
class FileReport:
    """What a file is, and what is wrong with it. rows = accepted + rejected + duplicate.

    Attributes:
        sha256: of the file as it lies, compressed or not.
        bytes: its size as it lies.
        rows: rows read; when the file is refused whole, all of them count as rejected.
        header: the header line as it came, line end and byte order mark included.
        columns: the names in the header.
        refusal: why the file is refused whole, or None.
        problem_counts, warning_counts: how many there are of each code, listed or not.
        first_problems: the first 100, in the order of lines.
        rejects_path: a CSV of all refused rows: line, field, code, text, row (as it came, beside its first problem);
            a list that would be too long ends early and says so.
        excluded: lines that came in a block and turned out at the end not to be taken
            (columns `line`, `reason`: duplicate | conflict | overlap), sorted by line.
        business_at: the moment whose UTC day the file belongs to, by its content.
        sums: what the amounts come to of all rows that are good each for itself, where the contract adds any up.
    """

    sha256: str
    bytes: int
    rows: int
    accepted: int
    rejected: int
    duplicate: int
    header: RawLine
    columns: tuple[str, ...]
    refusal: BadInput | None
    problem_counts: dict[str, int]
    warning_counts: dict[str, int]
    first_problems: tuple[Problem, ...]
    rejects_path: Path
    excluded: pl.DataFrame
    business_at: datetime | None
    sums: dict[str, Decimal]
    _problems: Spool = field(repr=False)
    _warnings: Spool = field(repr=False)

    @property
    def verdict(self) -> Verdict:
        """Accepted: no row is refused. Refused: the file as a whole, or none of its rows is good."""
        if self.refusal is not None or (self.rows and not self.accepted):
            return "refused"
        return "accepted_with_rejects" if self.rejected else "accepted"

    def problems(self) -> Iterator[Problem]:
        """All problems with rows, in the order of lines, read from disk as they are asked for."""
        yield from self._problems

    def warnings(self) -> Iterator[Problem]:
        """All warnings, in the order of lines, read from disk as they are asked for."""
        yield from self._warnings
