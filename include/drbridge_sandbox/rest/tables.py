"""Reading an attached CSV file as strictly as the receiving product would: every row, every column, all or nothing."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice
from typing import BinaryIO

from drbridge_sandbox.rest.answers import Refused

BLOCK_ROWS = 20_000
LONGEST_FIELD = 1 << 20

Check = Callable[[str], object]
Row = Sequence[str]


@dataclass(frozen=True)
class Column:
    """One column: its name, whether it must be there and filled, and what its values must be.

    Attributes:
        check: gives something falsy, or raises ValueError, for a value that is not allowed.
        repeats: its values come again and again: each is checked once a block.
    """

    name: str
    check: Check
    required: bool = True
    repeats: bool = False


def text(longest: int) -> Check:
    """Any text up to a length."""
    return re.compile(rf"[^\x00]{{1,{longest}}}").fullmatch


def number(digits: int, places: int, signed: bool = True) -> Check:
    """A decimal number that fits decimal(digits, places); zeros in front and behind count for nothing."""
    sign = "-?" if signed else ""
    return re.compile(rf"{sign}(?=\.?\d)0*\d{{0,{digits - places}}}(\.\d{{0,{places}}}0*)?(?<=\d)").fullmatch


def count(value: str) -> bool:
    """A whole number that is not negative."""
    return value.isascii() and value.isdigit() and int(value) < 1 << 31


def one_of(*codes: str) -> Check:
    """One of the codes."""
    return frozenset(codes).__contains__


_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")


@lru_cache(maxsize=1 << 16)
def moment(value: str) -> datetime:
    """An ISO 8601 time with its offset.

    Raises:
        ValueError: it is none, or no such time exists.
    """
    if not _MOMENT.fullmatch(value):
        raise ValueError(value)
    return datetime.fromisoformat(value).astimezone(UTC)


def past_moment(value: str) -> bool:
    """A time that is not in the future; five minutes are forgiven, clocks differ."""
    return moment(value) <= datetime.now(UTC) + timedelta(minutes=5)


def read_table(
    stream: BinaryIO, columns: Sequence[Column], numbered: str = "", number_check: Check | None = None
) -> Iterator[tuple[list[str], Sequence[Row]]]:
    """The rows of a CSV file with a header, block by block, each with the header; every value has been checked.

    Args:
        numbered: start of the names of further columns, numbered from 1: KwReduction1, KwReduction2, ...
        number_check: what their values must be; they may be empty.

    Raises:
        Refused: something is wrong; says where.
    """
    reader = csv.reader(io.TextIOWrapper(stream, "utf-8-sig", newline=""), strict=True)
    csv.field_size_limit(LONGEST_FIELD)
    try:
        header = next(reader, None)
        if header is None:
            raise Refused(400, "The file is empty")
        found = _columns_of(header, columns, numbered, number_check)
        first = 1
        while block := list(islice(reader, BLOCK_ROWS)):
            _check_block(block, found, first)
            yield header, block
            first += len(block)
    except (csv.Error, UnicodeDecodeError) as error:
        raise Refused(400, f"The file cannot be read near line {reader.line_num}: {error}") from error


def _columns_of(header: Row, columns: Sequence[Column], numbered: str, number_check: Check | None) -> list[Column]:
    known = {column.name: column for column in columns}
    last = len(header) - len([name for name in header if name in known])
    if numbered and number_check:
        known |= {f"{numbered}{n}": Column(f"{numbered}{n}", number_check, required=False) for n in range(1, last + 1)}
    wrong = [name for name in header if name not in known]
    missing = [column.name for column in columns if column.required and column.name not in header]
    if wrong or missing or len(set(header)) != len(header):
        raise Refused(400, "The header is not as agreed", [f"unknown {wrong}", f"missing {missing}"])
    return [known[name] for name in header]


def _check_block(block: list[list[str]], columns: list[Column], first: int) -> None:
    width = len(columns)
    if set(map(len, block)) != {width}:
        row = next(number for number, row in enumerate(block) if len(row) != width)
        raise Refused(400, f"Row {first + row} has {len(block[row])} fields instead of {width}")
    for column, values in zip(columns, zip(*block, strict=True), strict=True):
        wanted: Iterable[str] = set(values) if column.repeats else values
        wanted = wanted if column.required else filter(None, wanted)
        if not _all_good(column.check, wanted):
            row = next(n for n, value in enumerate(values) if not _is_good(column, value))
            raise Refused(400, f"Row {first + row}: {column.name} is not allowed to be {values[row]!r:.80}")


def _all_good(check: Check, values: Iterable[str]) -> bool:
    try:
        return all(map(check, values))
    except ValueError:
        return False


def _is_good(column: Column, value: str) -> bool:
    return (not value and not column.required) or _all_good(column.check, [value])
