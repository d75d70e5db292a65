"""Taking one record with quotes apart, by the letter of RFC 4180. Only records with quotes come here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

LF, CR, QUOTE = 10, 13, 34


@dataclass(frozen=True, slots=True)
class Record:
    """One record with quotes in it.

    Attributes:
        fields: what it says, unquoted; None when quotes are out of place.
        fault: the code of the rule of writing that it breaks, if any.
    """

    start: int
    end: int
    fields: list[bytes] | None
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A record whose end has not come.

    Attributes:
        quoted_bytes: what has come of the quoted field that is open; 0 when none is.
    """

    start: int
    quoted_bytes: int = 0


@lru_cache(maxsize=8)
def _field(delimiter: bytes) -> re.Pattern[bytes]:
    mark = re.escape(delimiter)
    return re.compile(rb'(?:"([^"]*+(?:""[^"]*+)*+)"(%b|\r?\n)|([^"\n%b]*+)(%b|\n))' % (mark, mark, mark))


_QUOTED = re.compile(rb'"[^"]*+(?:""[^"]*+)*+"')


def take_apart(data: bytes, start: int, delimiter: bytes) -> Record | Unfinished:
    """The record that starts at `start`; its last line ends with a line feed, or it is unfinished."""
    fields: list[bytes] = []
    field, at, lone = _field(delimiter), start, False
    while found := field.match(data, at):
        quoted, mark, plain, plain_mark = found.groups()
        last = (mark or plain_mark) != delimiter
        if quoted is not None:
            fields.append(quoted.replace(b'""', b'"'))
        else:
            fields.append(plain.removesuffix(b"\r") if last else plain)
            lone = lone or b"\r" in fields[-1]
        at = found.end()
        if last:
            return Record(start, at, fields, "lone_carriage_return" if lone else "")
    return _fault(data, start, at)


def _fault(data: bytes, start: int, at: int) -> Record | Unfinished:
    """Why no field could be read at `at`: the data ends inside it, or it breaks the rules."""
    wrong = data.find(b'"', at)
    if data[at : at + 1] == b'"':
        closed = _QUOTED.match(data, at)
        if closed is None:
            return Unfinished(start, len(data) - at - 1 - data.count(b'""', at + 1))
        if closed.end() == len(data) or (closed.end() == len(data) - 1 and data.endswith(b"\r")):
            return Unfinished(start, len(data) - at - 2 - data.count(b'""', at + 1))
        wrong = closed.end()
    end = data.find(b"\n", wrong) if wrong >= 0 else -1
    return Record(start, end + 1, None, "bad_quoting") if end >= 0 else Unfinished(start)
