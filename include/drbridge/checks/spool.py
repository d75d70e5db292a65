"""Problems kept on disk, so that a file of nothing but bad rows costs no memory, and not more disk than is agreed."""

from __future__ import annotations

import csv
import heapq
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from drbridge.contracts import Problem

REJECTS_HEADER = ("line", "field", "code", "text", "row")
BUFFER_BYTES = 1 << 20
MOST_BYTES = 200_000_000

Reject = tuple[Problem, str]
"""A problem, and the row it is about as it came; a row is kept with its first problem only."""

csv.field_size_limit(1 << 30)


class Spool:
    """Problems in the order in which they were found, on disk; beside each, if wanted, the row as it came.

    All are counted. The list ends when it is too long for anybody to read; its last line then says how many there are
    that it does not show.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.counts: Counter[str] = Counter()
        self._listed, self._bytes = 0, 0
        self._first_unlisted: int | None = None
        self._file = path.open("w", encoding="utf-8", newline="", buffering=BUFFER_BYTES)
        self._csv = csv.writer(self._file, lineterminator="\r\n")
        self._csv.writerow(REJECTS_HEADER)

    def add(self, problem: Problem, row: str = "") -> None:
        """Counts one problem, and keeps it if there is room."""
        self.counts[problem.code] += 1
        self._keep(problem, row)

    def _keep(self, problem: Problem, row: str) -> None:
        if self._first_unlisted is None and self._bytes + len(row) <= MOST_BYTES:
            self._write(problem, row)
            self._listed += 1
        elif self._first_unlisted is None:
            self._first_unlisted = problem.line

    def _write(self, problem: Problem, row: str = "") -> None:
        characters = self._csv.writerow((problem.line, problem.field, problem.code, problem.text, row))
        self._bytes += characters - len(row) + len(row.encode())

    def close(self) -> None:
        """Ends the list."""
        if not self._file.closed and self._first_unlisted is not None:
            text = f"{self.counts.total() - self._listed:,} more problems from here on are not listed"
            self._write(Problem(self._first_unlisted, "", "and_more", text))
        self._file.close()

    def rejects(self) -> Iterator[Reject]:
        """Everything kept, with the rows."""
        if not self._file.closed:
            self._file.flush()
        with self.path.open(encoding="utf-8", newline="") as file:
            reader = csv.reader(file)
            next(reader)
            for line, field, code, text, row in reader:
                yield Problem(int(line), field, code, text), row

    def __iter__(self) -> Iterator[Problem]:
        return (problem for problem, _ in self.rejects())

    def merged(self, path: Path, others: Iterable[Reject]) -> Spool:
        """A new spool of everything kept here and of `others`, both in the order of lines; this one is removed."""
        made = Spool(path)
        made.counts.update(self.counts)
        try:
            ours = islice(self.rejects(), self._listed)
            for problem, row in heapq.merge(ours, made._counted(others), key=lambda each: each[0].line):
                made._keep(problem, row)
            made._first_unlisted = made._first_unlisted or self._first_unlisted
        finally:
            made.close()
        self.path.unlink()
        return made

    def _counted(self, rejects: Iterable[Reject]) -> Iterator[Reject]:
        for problem, row in rejects:
            self.counts[problem.code] += 1
            yield problem, row
