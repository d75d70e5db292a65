"""Writing CSV files with planted faults, keeping count of what must come of each line."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Self

from drbridge_sandbox.day.prediction import Planted

NEEDS_QUOTES = re.compile(r'[",\t\r\n]')
Fields = list[str]


@dataclass(frozen=True)
class Spoil:
    """A way to make a good row bad.

    Attributes:
        column: which field gets the value; empty: the last field is left out.
    """

    kind: str
    column: str = ""
    value: str = ""


@dataclass(frozen=True)
class Layout:
    """How the files of a noun look, and what can be wrong with their rows.

    Attributes:
        other: column and value that make a second row of the same key contradict the first.
    """

    header: tuple[str, ...]
    spoils: tuple[Spoil, ...]
    other: tuple[str, str]
    delimiter: str = ","

    def spoiled(self, fields: Sequence[str], number: int) -> tuple[Fields, str]:
        """A bad version of a row, and what is wrong with it."""
        spoil = self.spoils[number % len(self.spoils)]
        if not spoil.column:
            return list(fields[:-1]), spoil.kind
        return self.changed(fields, spoil.column, spoil.value), spoil.kind

    def changed(self, fields: Sequence[str], column: str, value: str) -> Fields:
        """The row with another value in one column."""
        found = list(fields)
        found[self.header.index(column)] = value
        return found

    def contradiction(self, fields: Sequence[str]) -> Fields:
        """A row with the same key that says something else."""
        return self.changed(fields, *self.other)


@dataclass(frozen=True)
class Plan:
    """Which of the rows of a file get which fault; the copies of repeated rows come last, after `rows` rows.

    Attributes:
        bad: row number to the number of its spoil.
    """

    rows: int
    bad: dict[int, int]
    repeated: frozenset[int]
    contradicted: frozenset[int]

    @property
    def all_rows(self) -> int:
        return self.rows + len(self.repeated) + len(self.contradicted)


def plan(random: Random, rows: int, bad: int) -> Plan:
    """Chooses `bad` rows to spoil, and some to repeat and to contradict; `rows` counts the copies too."""
    repeated, contradicted = min(1000, max(2, rows // 10_000)), min(500, max(1, rows // 20_000))
    first = rows - repeated - contradicted
    chosen = random.sample(range(first), bad + repeated + contradicted)
    spoiled = {row: number for number, row in enumerate(chosen[:bad])}
    return Plan(first, spoiled, frozenset(chosen[bad : bad + repeated]), frozenset(chosen[bad + repeated :]))


def some_bad(rows: int, share: float = 0.005) -> int:
    """How many rows to spoil: a share, at least three."""
    return max(3, int(rows * share))


@dataclass
class Sheet:
    """A CSV file being written.

    Attributes:
        accepted_sha: of the header and the rows that must be accepted.
    """

    path: Path
    layout: Layout
    rows: int = 0
    accepted: int = 0
    refused: list[Planted] = field(default_factory=list)
    duplicates: list[int] = field(default_factory=list)
    line: int = 1

    def __post_init__(self) -> None:
        self._file = self.path.open("wb")
        self._sha, self._accepted_sha = sha256(), sha256()
        self._write(self._text(self.layout.header), True)

    @property
    def sha(self) -> str:
        return self._sha.hexdigest()

    @property
    def accepted_sha(self) -> str:
        return self._accepted_sha.hexdigest()

    def good(self, fields: Sequence[str]) -> None:
        """A row that must be accepted."""
        self.rows += 1
        self.accepted += 1
        self._write(self._text(fields), True)

    def bad(self, fields: Sequence[str], kind: str) -> None:
        """A row that must be refused."""
        self.rows += 1
        self.refused.append(Planted(self.line, kind))
        self._write(self._text(fields), False)

    def duplicate(self, fields: Sequence[str]) -> None:
        """A row that repeats an earlier one."""
        self.rows += 1
        self.duplicates.append(self.line)
        self._write(self._text(fields), False)

    def fill(self, rows: Iterable[Fields], plan: Plan, accepted: Callable[[Fields], object] = lambda _: None) -> None:
        """Writes rows with their planned faults, and the copies after them; `accepted` sees the rows that pass."""
        copies: list[Fields] = []
        for number, fields in enumerate(rows):
            if number in plan.bad:
                self.bad(*self.layout.spoiled(fields, plan.bad[number]))
            elif number in plan.contradicted:
                self.bad(fields, "contradicted")
                copies.append(self.layout.contradiction(fields))
            else:
                self.good(fields)
                accepted(fields)
                if number in plan.repeated:
                    copies.append(fields)
        self._copies(copies, plan)

    def _copies(self, copies: list[Fields], plan: Plan) -> None:
        column = self.layout.header.index(self.layout.other[0])
        for fields in copies:
            if fields[column] == self.layout.other[1]:
                self.bad(fields, "contradicts")
            else:
                self.duplicate(fields)
        assert len(copies) == len(plan.repeated) + len(plan.contradicted)

    def _text(self, fields: Sequence[str]) -> bytes:
        return text_of(fields, self.layout.delimiter)

    def _write(self, data: bytes, accepted: bool) -> None:
        self._file.write(data)
        self._sha.update(data)
        if accepted:
            self._accepted_sha.update(data)
        self.line += data.count(b"\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def text_of(fields: Sequence[str], delimiter: str = ",") -> bytes:
    """A line of CSV; fields are quoted where they must be."""
    return (delimiter.join(_quoted(field) for field in fields) + "\n").encode()


def _quoted(field: str) -> str:
    return '"' + field.replace('"', '""') + '"' if NEEDS_QUOTES.search(field) else field
