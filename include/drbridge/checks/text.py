"""From bytes to whole records: the encoding is checked and the stream is cut where records end."""

from __future__ import annotations

import codecs
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from drbridge.checks.report import Limits
from drbridge.checks.split import Positions, Records, split
from drbridge.checks.tokens import LF, Record, Unfinished, take_apart
from drbridge.errors import BadInput, Incomplete, UnreadableFile

HEADER_BYTES = 1 << 16
FOREIGN_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True)
class Stretch:
    """Whole records that follow each other in a file.

    Attributes:
        first_line: the line of the file on which it starts.
        first_byte: where in the text of the file it starts.
        ends_with_line: whether its last record has a line end; only the last of a file may not.
        header: the names in the header, when this is the header line.
    """

    records: Records
    first_line: int
    first_byte: int
    ends_with_line: bool
    header: tuple[str, ...] | None = None

    @property
    def is_plain(self) -> bool:
        """Whether each of its lines, its line feed left out, is a record as it came."""
        data = self.records.data
        return self.ends_with_line and b'"' not in data and b"\r" not in data

    @cached_property
    def raw_ends(self) -> Positions:
        """Where records end as they came: a missing last line end is not made up."""
        ends = self.records.ends
        return ends if self.ends_with_line else np.minimum(ends, self.records.consumed - 1)


def stretches(chunks: Iterator[bytes], delimiter: str, limits: Limits) -> Iterator[Stretch]:
    """Cuts a file into its header and stretches of whole records.

    Raises:
        BadInput: it is not text in UTF-8, or ends in the middle of a record.
    """
    mark = delimiter.encode()
    gathered = _Gathered(chunks, mark, limits)
    header = _header(gathered, mark, limits)
    yield header
    line, byte = 1 + header.records.line_count, header.records.consumed
    while data := gathered.next(limits.block_bytes):
        refuse_encoding(data, line, complete=gathered.is_last)
        whole = gathered.with_line_end(data)
        records = split(whole, mark)
        _refuse_long(records, line, mark, limits)
        is_open = gathered.is_last and records.consumed < len(whole)
        if len(records):
            yield Stretch(records, line, byte, ends_with_line=is_open or whole is data)
        line, byte = line + records.line_count, byte + records.consumed
        if is_open:
            raise _open_quote(line)
        gathered.keep(data[records.consumed :])


class _Gathered:
    """Chunks put together into blocks; what a block leaves over comes first in the next."""

    def __init__(self, chunks: Iterator[bytes], mark: bytes, limits: Limits) -> None:
        self._chunks, self._mark, self._limits = chunks, mark[0], limits
        self._rest, self._ahead = b"", deque[memoryview]()
        self._ended = False

    @property
    def is_last(self) -> bool:
        """Whether nothing comes after the block that was given last."""
        return self._ended and not self._ahead

    def next(self, block_bytes: int) -> bytes:
        """The next block, longer than the last one's rest; empty when all has been given."""
        pieces, size = [memoryview(self._rest)], 0
        while size < block_bytes and (piece := self._piece(block_bytes - size)):
            pieces.append(piece)
            size += len(piece)
        data = b"".join(pieces)
        end = len(self._rest) + self._bearable(np.frombuffer(data, np.uint8)[len(self._rest) :])
        self._rest = b""
        if end < len(data):
            self.put_back(data[end:])
        return data[:end]

    def _piece(self, most: int) -> memoryview | None:
        """What comes next, of so many bytes at most."""
        while not self._ahead and not self._ended:
            chunk = next(self._chunks, None)
            self._ended = chunk is None
            if chunk:
                self._ahead.append(memoryview(chunk))
        if not self._ahead:
            return None
        piece = self._ahead.popleft()
        if len(piece) > most:
            self._ahead.appendleft(piece[most:])
        return piece[:most]

    def _bearable(self, fresh: npt.NDArray[np.uint8]) -> int:
        """How many of these bytes hold no more rows and fields than are looked at in one go."""
        limits = self._limits
        breaks, marks = np.count_nonzero(fresh == LF), np.count_nonzero(fresh == self._mark)
        if breaks <= limits.block_rows and breaks + marks <= limits.block_fields:
            return fresh.size
        ends = np.flatnonzero(fresh == LF)[limits.block_rows : limits.block_rows + 1]
        fields = np.flatnonzero((fresh == LF) | (fresh == self._mark))[limits.block_fields : limits.block_fields + 1]
        return int(np.concatenate((ends, fields)).min())

    def keep(self, rest: bytes) -> None:
        """Takes back what has been looked at of the block that was given last, and is not finished."""
        self._rest = rest

    def put_back(self, rest: bytes) -> None:
        """Takes back what has not been looked at of the block that was given last."""
        if rest:
            self._ahead.appendleft(memoryview(rest))

    def with_line_end(self, data: bytes) -> bytes:
        """The block, given a last line end if it is the last block and has none."""
        return data + b"\n" if self.is_last and not data.endswith(b"\n") else data


def _header(gathered: _Gathered, mark: bytes, limits: Limits) -> Stretch:
    data = b""
    while True:
        gathered.keep(data)
        data = gathered.next(min(HEADER_BYTES, limits.block_bytes))
        _refuse_foreign(data, gathered.is_last)
        text = data.removeprefix(codecs.BOM_UTF8)
        whole = gathered.with_line_end(text)
        record = take_apart(whole, 0, mark)
        if isinstance(record, Record):
            break
        if gathered.is_last:
            raise _open_quote(1)
        if len(data) > limits.max_field_bytes:
            raise UnreadableFile(
                f"Line 1 does not end within {limits.max_field_bytes:,} bytes, so it is no header",
                fix="write the column names in the first line", code="no_header", line=1,
            )  # fmt: skip
    end = len(data) - len(text) + record.end
    gathered.put_back(data[end:])
    names = () if record.fault else tuple(name.decode() for name in record.fields or [])
    lines = max(1, whole.count(b"\n", 0, record.end))
    here = Records(data[:end], end, np.zeros(1, np.int64), np.array([end]), np.zeros(1, np.int64), lines)
    return Stretch(here, 1, 0, ends_with_line=whole is text, header=names)


def _refuse_foreign(data: bytes, complete: bool) -> None:
    """Refuses the first bytes of a file when they cannot be a header in UTF-8."""
    if data in (b"", codecs.BOM_UTF8) and complete:
        raise Incomplete("The file is empty", fix="have it sent again", code="empty_file")
    if data.startswith(FOREIGN_MARKS):
        raise UnreadableFile("The file is UTF-16, not UTF-8", fix="write it as UTF-8", code="utf16", line=1)
    refuse_encoding(data, 1, complete)


def _open_quote(line: int) -> BadInput:
    return Incomplete(
        f"A quote that is opened in the row of line {line} is never closed",
        fix="close it, or have the file sent again", code="open_quote", line=line,
    )  # fmt: skip


def refuse_encoding(data: bytes, first_line: int, complete: bool) -> None:
    """Refuses bytes that are not UTF-8 text; a last character may be unfinished when more is to come.

    Raises:
        BadInput: with the line.
    """
    if (at := data.find(b"\0")) >= 0:
        raise UnreadableFile(
            "The file holds a NUL byte: it is not UTF-8 text, perhaps UTF-16", fix="write it as UTF-8", code="nul_byte",
            line=first_line + data.count(b"\n", 0, at),
        )  # fmt: skip
    if data.isascii():
        return
    try:
        codecs.utf_8_decode(data, "strict", complete)
    except UnicodeDecodeError as error:
        raise UnreadableFile(
            "The file is not UTF-8", f"byte {data[error.start]:#04x}: {error.reason}", "write it as UTF-8",
            code="not_utf8", line=first_line + data.count(b"\n", 0, error.start),
        ) from None  # fmt: skip


def _refuse_long(records: Records, line: int, mark: bytes, limits: Limits) -> None:
    """Refuses a file with a field or row that no honest file has; whole records first, then the unfinished one."""
    sizes = records.ends - records.starts
    for record in np.flatnonzero(sizes > limits.max_field_bytes).tolist():
        start, end = int(records.starts[record]), int(records.ends[record])
        field = _longest_field(records.data[start:end], mark)
        _refuse_if_long(field, end - start, line + int(records.lines[record]), limits)
    rest = records.data[records.consumed :]
    if len(rest) > limits.max_field_bytes:
        _refuse_if_long(_longest_field(rest, mark), len(rest), line + records.line_count, limits)


def _longest_field(row: bytes, mark: bytes) -> int:
    """The longest field of a row; where quotes are out of place, a field is what lies between two delimiters."""
    taken = take_apart(row, 0, mark) if b'"' in row else None
    if isinstance(taken, Unfinished) and taken.quoted_bytes:
        return taken.quoted_bytes
    if isinstance(taken, Record) and taken.fields is not None:
        return max(map(len, taken.fields))
    return max(map(len, row.rstrip(b"\r\n").split(mark)))


def _refuse_if_long(field: int, row: int, line: int, limits: Limits) -> None:
    if field > limits.max_field_bytes:
        raise UnreadableFile(
            f"A field in the row of line {line} is longer than {limits.max_field_bytes:,} bytes",
            fix="look for a lost quote or delimiter", code="field_too_long", line=line,
        )  # fmt: skip
    if row > limits.max_row_bytes:
        raise UnreadableFile(
            f"The row of line {line} is longer than {limits.max_row_bytes:,} bytes",
            fix="look for lost line ends", code="row_too_long", line=line,
        )  # fmt: skip
