"""Problems kept on disk, so that a file of nothing but bad rows costs no memory."""

from __future__ import annotations

import csv
import heapq
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from drbridge.contracts import Problem

REJECTS_HEADER = ("line", "field", "code", "text", "row")
BUFFER_BYTES = 1 << 20

Reject = tuple[Problem, str]
"""A problem, and the row it is about as it came."""

csv.field_size_limit(1 << 30)


class Spool:
    """Problems in the order in which they were found, on disk; beside each, if wanted, the row as it came."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.counts: Counter[str] = Counter()
        self._file = path.open("w", encoding="utf-8", newline="", buffering=BUFFER_BYTES)
        self._csv = csv.writer(self._file, lineterminator="\r\n")
        self._csv.writerow(REJECTS_HEADER)

    def add(self, problem: Problem, row: str = "") -> None:
        """Keeps one problem."""
        self.counts[problem.code] += 1
        self._csv.writerow((problem.line, problem.field, problem.code, problem.text, row))

    def close(self) -> None:
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
        """A new spool of everything kept here and of `others`, both in the order of lines."""
        made = Spool(path)
        try:
            for problem, row in heapq.merge(self.rejects(), others, key=lambda each: each[0].line):
                made.add(problem, row)
        finally:
            made.close()
        return made
