"""Checking a file: one pass from its first byte to its last, in flat memory."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path

import numpy as np
import polars as pl

from drbridge.checks.examine import Examined, examine
from drbridge.checks.hashed import Hashed
from drbridge.checks.header import judge_header
from drbridge.checks.keys import NOTHING_EXCLUDED, Hashes, Keys
from drbridge.checks.overlaps import Overlaps
from drbridge.checks.recall import Places, changed, rows_on
from drbridge.checks.report import FileReport, Limits
from drbridge.checks.rows import Layout, judge, lines_of
from drbridge.checks.split import Records
from drbridge.checks.spool import Reject, Spool
from drbridge.checks.text import Stretch, stretches
from drbridge.checks.tokens import Record, take_apart
from drbridge.checks.unpack import is_packed, peek, unpacked
from drbridge.contracts import Contract, Problem
from drbridge.errors import BadInput, Incomplete, Misconfigured
from drbridge.spans import OpenFile, Spans, cut, placed

KEPT_PROBLEMS = 100
JUDGES = 2


@dataclass(frozen=True)
class CheckedBlock:
    """Accepted rows of one stretch of the file.

    Attributes:
        frame: `line`, and one text column per column of the file ("" is null; ids stay as they came).
    """

    frame: pl.DataFrame
    _stretch: Stretch
    _record: pl.Series

    def raw(self) -> pl.Series:
        """Each accepted row's bytes as they came, line end included."""
        records, numbers = self._stretch.records, self._record.to_numpy()
        if self._stretch.is_plain:
            lines = lines_of(records.data[: records.consumed])
            return (lines.gather(numbers) + "\n").cast(pl.Binary).alias("raw")
        data = memoryview(records.data)
        starts, ends = records.starts[numbers].tolist(), self._stretch.raw_ends[numbers].tolist()
        pieces = [bytes(data[start:end]) for start, end in zip(starts, ends, strict=True)]
        return pl.Series("raw", pieces, pl.Binary)


class FileCheck:
    """Checks one file against its contract: read `blocks()` to the end, then ask for the `report()`.

    Args:
        workdir: a folder of the caller's for what does not fit into memory; the report reads from it.
        now: what counts as now, for times that must not be in the future.
        delimiter: one ASCII character; it is agreed, never guessed.

    Raises:
        Misconfigured: the delimiter cannot be one.
    """

    def __init__(
        self, contract: Contract, *, workdir: Path, now: datetime, delimiter: str = ",", limits: Limits | None = None
    ) -> None:
        if len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n\0':
            raise Misconfigured(
                f"{delimiter!r} cannot separate fields", fix="set delimiter in systems.toml to one ASCII character"
            )
        workdir.mkdir(parents=True, exist_ok=True)
        self.contract, self.workdir, self.limits = contract, workdir, limits or Limits()
        self._delimiter, self._now = delimiter, now
        self._sha256, self._bytes, self._rows, self._accepted = "", 0, 0, 0
        self._header, self._columns = b"", tuple[str, ...]()
        self._refusal: BadInput | None = None
        self._dates: list[datetime] = []
        self._sums: dict[str, Decimal] = {}
        self._keys = Keys(contract.identity, workdir / "keys")
        self._periods = Overlaps(contract.periods, workdir / "periods") if contract.periods else None
        self._problems = Spool(workdir / "problems.csv")
        self._warnings = Spool(workdir / "warnings.csv")
        self._excluded = NOTHING_EXCLUDED
        self._places = Places()
        self._is_packed = False
        self._layout: Layout

    def blocks(self, open_file: OpenFile) -> Generator[CheckedBlock]:
        """Reads the file once and gives its accepted rows, stretch by stretch.

        A refusal of the file is kept for the report, and the file is read on to its end for its hash. Only when rows
        contradict each other is the file opened once more, to show them as they came: then only what lies around them
        is read, unless the file is packed.

        Raises:
            RetryLater: from `open_file`; the check is then void.
        """
        with ExitStack() as stack:
            for waiting in (self._warnings, self._problems, self._periods, self._keys):
                if waiting is not None:
                    stack.callback(waiting.close)
            with ThreadPoolExecutor(1) as worker, open_file() as chunks:
                source = Hashed(chunks, self.limits.max_bytes, worker)
                try:
                    if self.contract.has_rows:
                        yield from self._accepted_blocks(iter(source))
                    else:
                        _pass_over(iter(source))
                except BadInput as refusal:
                    self._refusal = refusal
                self._sha256, self._bytes = source.drain(), source.size
            self._finish(open_file)

    def _accepted_blocks(self, chunks: Iterator[bytes]) -> Iterator[CheckedBlock]:
        with ThreadPoolExecutor(JUDGES) as worker:
            for found in self._examined(self._stretches(chunks), worker):
                self._rows += len(found.stretch.records)
                cut_off = None if found.stretch.ends_with_line else self._cut_off(found)
                yield from self._note(found)
                if cut_off is not None:
                    raise cut_off
                del found  # not kept while the next is waited for
        if self._refusal is None and not self._rows and self.contract.empty_is_refused:
            raise Incomplete(
                "The file has a header and no rows", fix="have it sent again with its rows", code="no_rows", line=1
            )

    def _examined(self, given: Iterator[Stretch], worker: ThreadPoolExecutor) -> Iterator[Examined]:
        """What each stretch tells; while some are examined, the next is read."""
        header = next(given, None)
        if header is None:
            return
        self._take_header(header)
        names = self.contract.names_within(self._columns)
        self._layout = Layout(self.contract, names, self._delimiter, self._now)
        waiting = deque[Future[Examined]]()
        for stretch in given:
            waiting.append(worker.submit(examine, stretch, self._layout, self._keys, self._periods))
            if len(waiting) >= JUDGES:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def _stretches(self, chunks: Iterator[bytes]) -> Iterator[Stretch]:
        """The stretches up to the end, or to where the file is refused."""
        try:
            head, rest = peek(chunks, 4)
            self._is_packed = is_packed(head)
            yield from stretches(unpacked(rest, self.workdir, self.limits), self._delimiter, self.limits)
        except BadInput as refusal:
            self._refusal = refusal

    def _take_header(self, stretch: Stretch) -> None:
        assert stretch.header is not None
        self._header, self._columns = stretch.records.data, stretch.header
        refusal = judge_header(self._columns, self.contract)
        if refusal is not None:
            raise refusal

    def _cut_off(self, found: Examined) -> BadInput | None:
        """A last line without line end is only believed when it is whole; its own problem gives way to the file's."""
        records, last = found.stretch.records, len(found.stretch.records) - 1
        taken = take_apart(records.data, int(records.starts[last]), self._delimiter.encode())
        count = len(taken.fields) if isinstance(taken, Record) and taken.fields is not None else 0
        if count == len(self._columns):
            return None
        line = found.stretch.first_line + int(records.lines[last])
        _, (problem, *_) = found.refused.pop()
        return Incomplete(
            f"The last line ({line}) is not complete", problem.text, "have the file sent again, to its end",
            code="cut_off", line=line,
        )  # fmt: skip

    def _note(self, found: Examined) -> Iterator[CheckedBlock]:
        for record, problems in found.refused:
            self._problems.add(problems[0], found.stretch.records.row(record).decode())
            for problem in problems[1:]:
                self._problems.add(problem)
        self._places.note(found.stretch)
        if not found.frame.height:
            return
        self._accepted += found.frame.height
        self._keys.add(found.keys)
        if self._periods is not None and found.claims is not None:
            self._periods.add(found.claims)
        for per, amount in found.sums.items():
            self._sums[per] = self._sums.get(per, Decimal()) + amount
        for warning in found.warnings:
            self._warnings.add(warning)
        self._dates = [self.contract.further([*self._dates, found.moment])] if found.moment else self._dates
        yield CheckedBlock(found.frame, found.stretch, found.record)

    def _finish(self, open_file: OpenFile) -> None:
        self._problems.close()
        self._warnings.close()
        if self._refusal is not None:
            return
        self._excluded = self._keys.resolve()
        if self._periods is not None:
            lost = self._excluded.frame()["line"].to_numpy()
            self._excluded = replace(self._excluded, overlaps=self._periods.resolve(lost))
        if self._excluded.has_refused:
            found = self._refused_for_others(open_file)
            self._problems = self._problems.merged(self.workdir / "rejects.csv", found)

    def _told(self) -> Iterator[Problem]:
        """What is wrong with rows because of others, in the order of lines."""
        key, start = ", ".join(self.contract.key), self.contract.periods.start if self.contract.periods else ""
        conflicts = (
            Problem(line, key, "conflicting_duplicate", f"the same key with other values is on {others}")
            for line, others in self._excluded.conflicts()
        )
        overlaps = (
            Problem(each.line, start, "overlap", f"its period begins before that of line {each.earlier_line} ends")
            for each in self._excluded.overlaps
        )
        yield from heapq.merge(conflicts, overlaps, key=lambda problem: problem.line)

    def _refused_for_others(self, open_file: OpenFile) -> Iterator[Reject]:
        """Every row refused because of others, as it came: the one thing for which a file is opened again."""
        (lines, hashes), told = self._excluded.refused, self._told()
        cells = self._places.of(lines)
        try:
            with self._opened_again(open_file, cells.spans) as chunks:
                for records, passed in rows_on(lines, cells, chunks, self._delimiter.encode()):
                    self._compare(records, hashes[passed : passed + len(records)])
                    for number, problem in zip(range(len(records)), told, strict=False):
                        yield problem, records.row(number).decode()
        except BadInput as error:
            raise changed() from error

    @contextmanager
    def _opened_again(self, open_file: OpenFile, spans: Spans) -> Iterator[Iterator[bytes]]:
        """Some spans of the text: of a packed file they are found by unpacking it once more."""
        with open_file(None if self._is_packed else spans) as chunks:
            if self._is_packed:
                text = unpacked(chunks, self.workdir, self.limits)
                yield cut(placed(text), spans)
            else:
                yield chunks

    def _compare(self, records: Records, hashes: Hashes) -> None:
        """Makes sure that rows which are read once more are the rows that were judged."""
        frame = judge(records, self._layout, 1).accepted.drop("record")
        if not np.array_equal(self._keys.rows(frame), hashes):
            raise changed()

    def report(self) -> FileReport:
        """What the check found, once `blocks` has been read to its end."""
        refused_whole = self._refusal is not None
        accepted = 0 if refused_whole else self._accepted - self._excluded.count
        duplicate = int(self._excluded.duplicate.size)
        return FileReport(
            sha256=self._sha256,
            bytes=self._bytes,
            rows=self._rows,
            accepted=accepted,
            rejected=self._rows - accepted - duplicate,
            duplicate=duplicate,
            header=self._header,
            columns=self._columns,
            refusal=self._refusal,
            problem_counts=dict(self._problems.counts),
            warning_counts=dict(self._warnings.counts),
            first_problems=tuple(islice(self._problems, KEPT_PROBLEMS)),
            rejects_path=self._problems.path,
            excluded=self._excluded.frame(),
            business_at=self._dates[0] if self._dates and not refused_whole else None,
            sums=dict(self._sums),
            _problems=self._problems,
            _warnings=self._warnings,
        )


def _pass_over(chunks: Iterator[bytes]) -> None:
    """Reads a file nothing of which is looked at, but whether there is any."""
    if not sum(map(len, chunks)):
        raise Incomplete("The file is empty", fix="have it sent again", code="empty_file")
