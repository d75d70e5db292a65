"""Cutting a stretch of bytes into records, column-wise: positions by numpy, records with awkward quotes one by one."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from drbridge.checks.tokens import CR, LF, QUOTE, Record, Unfinished, take_apart

Positions = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]


@dataclass
class Records:
    """The whole records at the start of a stretch of bytes.

    Attributes:
        data: the stretch; what is after `consumed` belongs to a record that is not finished.
        starts, ends: where each record lies, its line end included.
        lines: on which line of the stretch each starts, counted from 0.
        line_count: lines of all records together.
        odd: fields of the records that had to be taken apart one by one, by record number.
        faults: records that break the rules of writing, by record number: the code.
    """

    data: bytes
    consumed: int
    starts: Positions
    ends: Positions
    lines: Positions
    line_count: int
    delimiter: bytes = b","
    odd: dict[int, list[bytes]] = field(default_factory=dict)
    faults: dict[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.starts)

    def row(self, number: int) -> bytes:
        """A record as it came, without its line end."""
        return self.data[self.starts[number] : self.ends[number]].removesuffix(b"\n").removesuffix(b"\r")

    def fields(self, number: int) -> list[bytes]:
        """What a record says, field by field."""
        taken = self.odd.get(number)
        return self.row(number).replace(b'"', b"").split(self.delimiter) if taken is None else taken


def split(data: bytes, delimiter: bytes) -> Records:
    """Cuts data that starts with a record into records."""
    array = np.frombuffer(data, np.uint8)
    if b'"' in data:
        records = _with_quotes(data, array, delimiter)
    else:
        breaks = np.flatnonzero(array == LF)
        records = _assemble(data, delimiter, breaks + 1, breaks)
    if b"\r" in data:
        _mark_lone_returns(records, array)
    return records


def _with_quotes(data: bytes, array: Bytes, delimiter: bytes) -> Records:
    quotes = array == QUOTE
    inside = np.bitwise_xor.accumulate(quotes.view(np.uint8)).view(np.bool_)
    where = np.flatnonzero(quotes)
    mark, closes = delimiter[0], where[1::2]
    after, edge = _byte_at(array, closes + 1), np.zeros(256, np.bool_)
    edge[[mark, LF, QUOTE]] = True
    closed_well = edge[after] | ((after == CR) & (_byte_at(array, closes + 2) == LF))
    if not (edge[_byte_at(array, where[0::2] - 1)].all() and closed_well.all()):
        return _one_by_one(data, array, delimiter)
    breaks = array == LF
    ends = np.flatnonzero(breaks & ~inside) + 1
    escapes = closes[after == QUOTE]
    special = np.flatnonzero((breaks | (array == mark) | (array == CR)) & inside)
    awkward = np.unique(np.searchsorted(ends, np.concatenate((escapes, special)), side="right"))
    records = _assemble(data, delimiter, ends, np.flatnonzero(breaks))
    for number in awkward[awkward < ends.size].tolist():
        _keep(records, number, take_apart(data, int(records.starts[number]), delimiter))
    return records


def _byte_at(array: Bytes, where: Positions) -> Bytes:
    """The bytes at positions; just before the start and just after the end there is the end of a line."""
    found: Bytes = np.where((where >= 0) & (where < array.size), array[np.clip(where, 0, array.size - 1)], np.uint8(LF))
    return found


def _one_by_one(data: bytes, array: Bytes, delimiter: bytes) -> Records:
    """Somewhere a quote is out of place: every record with quotes is taken apart, to find the next line after it."""
    found: list[Record] = []
    at, is_open = 0, False
    while (quote := data.find(b'"', at)) >= 0:
        record = take_apart(data, max(at, data.rfind(b"\n", at, quote) + 1), delimiter)
        if isinstance(record, Unfinished):
            at, is_open = record.start, True
            break
        found.append(record)
        at = record.end
    consumed = at if is_open else max(at, data.rfind(b"\n", at) + 1)
    breaks = np.flatnonzero(array[:consumed] == LF)
    starts = np.array([each.start for each in found], np.int64)
    stops = np.array([each.end for each in found], np.int64)
    last = np.searchsorted(starts, breaks, side="right") - 1
    inner = (last >= 0) & (breaks < stops[np.maximum(last, 0)] - 1) if starts.size else np.zeros(breaks.size, np.bool_)
    records = _assemble(data, delimiter, breaks[~inner] + 1, breaks)
    numbers = np.searchsorted(records.starts, starts)
    for number, record in zip(numbers.tolist(), found, strict=True):
        _keep(records, number, record)
    return records


def _assemble(data: bytes, delimiter: bytes, ends: Positions, breaks: Positions) -> Records:
    """Records that end where `ends` says, among all line breaks."""
    consumed = int(ends[-1]) if ends.size else 0
    starts = np.concatenate(([0], ends[:-1])) if ends.size else ends
    lines = breaks[: np.searchsorted(breaks, consumed)]
    numbers = np.arange(ends.size) if lines.size == ends.size else np.searchsorted(lines, starts)
    return Records(data, consumed, starts, ends, numbers, lines.size, delimiter)


def _keep(records: Records, number: int, record: Record | Unfinished) -> None:
    assert isinstance(record, Record)
    if record.fields is None or record.fault:
        records.faults[number] = record.fault
        return
    records.odd[number] = record.fields


def _mark_lone_returns(records: Records, array: Bytes) -> None:
    returns = np.flatnonzero(array[: records.consumed] == CR)
    lone = returns[array[np.minimum(returns + 1, array.size - 1)] != LF]
    for number in np.unique(np.searchsorted(records.ends, lone, side="right")).tolist():
        if number not in records.odd and number not in records.faults:
            records.faults[number] = "lone_carriage_return"
