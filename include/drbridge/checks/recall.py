"""Rows as they came, shown once more: where in a file they lie, and the second reading that fetches only them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from drbridge.checks.split import Positions, Records, split
from drbridge.checks.text import Stretch, refuse_encoding
from drbridge.errors import Unstable
from drbridge.spans import Spans

PLACE_BYTES = 16 << 10
PLACES_BETWEEN = 4
BATCH_BYTES = 4 << 20
Lines = npt.NDArray[np.uint32]


@dataclass(frozen=True)
class Cells:
    """Parts of a file's text, of whole records each, in order.

    Attributes:
        lines: the line on which each starts, counted from 1.
        starts, ends: where each lies.
    """

    lines: Lines
    starts: Positions
    ends: Positions

    @property
    def spans(self) -> Spans:
        """The same, with what touches put together."""
        apart = np.flatnonzero(self.ends[:-1] != self.starts[1:]) + 1
        starts, ends = self.starts[[0, *apart]].tolist(), self.ends[[*(apart - 1), -1]].tolist()
        return list(zip(starts, ends, strict=True))

    def batches(self) -> Iterator[Cells]:
        """The same, a few at a time."""
        sizes = np.cumsum(self.ends - self.starts)
        edges = np.flatnonzero(np.diff(sizes // BATCH_BYTES, prepend=0)).tolist()
        for first, end in zip([0, *edges], [*edges, len(self.lines)], strict=True):
            if first < end:
                yield Cells(self.lines[first:end], self.starts[first:end], self.ends[first:end])


class Places:
    """Where lines lie in the text of a file; of every 16 KiB the first record that starts there is noted."""

    def __init__(self) -> None:
        self._lines, self._starts, self._end = list[Lines](), list[Positions](), 0

    def note(self, stretch: Stretch) -> None:
        """Notes where the records of a stretch are; stretches come in their order."""
        starts = stretch.records.starts
        noted = np.unique(np.searchsorted(starts, np.arange(0, int(starts[-1]) + 1, PLACE_BYTES)))
        self._lines.append((stretch.records.lines[noted] + stretch.first_line).astype(np.uint32))
        self._starts.append(starts[noted] + stretch.first_byte)
        self._end = stretch.first_byte + int(stretch.raw_ends[-1])

    def of(self, lines: Lines) -> Cells:
        """The parts of the file in which some records start, and what lies between two that are near to each other.

        Args:
            lines: on which they start, sorted.
        """
        firsts, starts = np.concatenate(self._lines), np.concatenate(self._starts)
        wanted = np.unique(np.searchsorted(firsts, lines, side="right") - 1)
        near = np.flatnonzero(np.diff(wanted) <= PLACES_BETWEEN)
        between = [np.arange(wanted[each] + 1, wanted[each + 1]) for each in near.tolist()]
        cells = np.sort(np.concatenate([wanted, *between]))
        return Cells(firsts[cells], starts[cells], np.append(starts[1:], self._end)[cells])


def rows_on(lines: Lines, cells: Cells, chunks: Iterator[bytes], mark: bytes) -> Iterator[tuple[Records, int]]:
    """The records that start on some lines, a few at a time, and how many lines have been passed before them.

    Args:
        lines: sorted.
        cells: where they are.
        chunks: the bytes of the cells.

    Raises:
        BadInput: these bytes are no text.
        Unstable: no records start on these lines any more.
    """
    batches, passed = list(cells.batches()), 0
    sizes = [int((each.ends - each.starts).sum()) for each in batches]
    wanted = np.split(lines, np.searchsorted(lines, [each.lines[0] for each in batches[1:]]))
    for batch, some, data in zip(batches, wanted, _pieces(chunks, sizes), strict=True):
        refuse_encoding(data, 1, complete=True)
        if len(some):
            yield _records(some, batch, data if data.endswith(b"\n") else data + b"\n", mark), passed
        passed += len(some)


def _records(lines: Lines, cells: Cells, data: bytes, mark: bytes) -> Records:
    """Of all records in some cells, those that start on some lines."""
    records = split(data, mark)
    sizes = cells.ends - cells.starts
    first = np.searchsorted(records.starts, np.cumsum(sizes) - sizes)
    if not len(records) or first[-1] >= len(records):
        raise changed()
    moved = np.repeat(cells.lines - records.lines[first], np.diff(first, append=len(records)))
    here = records.lines + moved
    numbers = np.searchsorted(here, lines)
    if numbers[-1] >= here.size or (here[numbers] != lines).any():
        raise changed()
    return split(b"".join(data[records.starts[each] : records.ends[each]] for each in numbers.tolist()), mark)


def _pieces(chunks: Iterator[bytes], sizes: list[int]) -> Iterator[bytes]:
    """Bytes in pieces of given sizes; the chunks are read to their end.

    Raises:
        Unstable: there are fewer or more of them.
    """
    rest = b""
    for size in sizes:
        pieces = [rest]
        while sum(map(len, pieces)) < size:
            piece = next(chunks, None)
            if piece is None:
                raise changed()
            pieces.append(piece)
        data = b"".join(pieces)
        yield data[:size]
        rest = data[size:]
    if rest or any(chunks):
        raise changed()


def changed() -> Unstable:
    """What is told when a file is not the one that was read before."""
    return Unstable("The file changed while it was read", fix="nothing: it is looked at again later")
