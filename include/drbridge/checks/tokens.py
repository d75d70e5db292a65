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
        fields: what it says, unquoted; None when it breaks the rules of quoting.
        fault: the code of the rule it breaks.
    """

    start: int
    end: int
    fields: list[bytes] | None
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A record whose end has not come.

    Attributes:
        field_bytes: how much there is of its last field.
    """

    start: int
    field_bytes: int
    in_quotes: bool


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
            return Record(start, at, None if lone else fields, "lone_carriage_return" if lone else "")
    return _fault(data, start, at)


def _fault(data: bytes, start: int, at: int) -> Record | Unfinished:
    """Why no field could be read at `at`: the data ends inside it, or it breaks the rules."""
    wrong = data.find(b'"', at)
    if data[at : at + 1] == b'"':
        closed = _QUOTED.match(data, at)
        if closed is None:
            return Unfinished(start, len(data) - at - 1, in_quotes=True)
        if closed.end() == len(data) or (closed.end() == len(data) - 1 and data.endswith(b"\r")):
            return Unfinished(start, closed.end() - at - 2, in_quotes=True)
        wrong = closed.end()
    elif wrong < 0:
        return Unfinished(start, len(data) - at, in_quotes=False)
    end = data.find(b"\n", wrong)
    if end < 0:
        return Unfinished(start, len(data) - at, in_quotes=False)
    return Record(start, end + 1, None, "bad_quoting")
