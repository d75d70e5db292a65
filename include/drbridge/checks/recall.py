"""Rows as they came, by the lines on which they start: the second reading of a file that has been cut before."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import numpy as np
import numpy.typing as npt

from drbridge.checks.tokens import LF, QUOTE, Record, take_apart


def rows_on(lines: npt.NDArray[np.uint32], chunks: Iterator[bytes], delimiter: str) -> Iterator[str]:
    """The records that start on some lines, without line end.

    Args:
        lines: counted from 1, sorted; on each of them a whole record starts.
    """
    wanted, mark = (lines.astype(np.int64) - 1).tolist(), delimiter.encode()
    rest, first = b"", 0
    for chunk in chain(chunks, [b"\n"]):
        data = rest + chunk
        breaks = np.flatnonzero(np.frombuffer(data, np.uint8) == LF)
        starts = np.concatenate(([0], breaks + 1))
        count, keep = len(breaks), len(breaks)
        for number in range(int(np.searchsorted(lines, first + 1)), len(wanted)):
            here = wanted[number] - first
            if here >= count:
                break
            row = _row(data, int(starts[here]), int(starts[here + 1]), mark)
            if row is None:
                keep = here
                break
            yield row
        rest, first = data[int(starts[keep]) :], first + keep


def _row(data: bytes, start: int, end: int, mark: bytes) -> str | None:
    """The record from `start` on, whose first line ends at `end`; None when its last line is yet to come."""
    if data.find(QUOTE, start, end) >= 0:
        record = take_apart(data, start, mark)
        if not isinstance(record, Record):
            return None
        end = record.end
    return data[start:end].decode().removesuffix("\n").removesuffix("\r")
