"""The kinds of column: each says its rule twice.

`parse` is the truth: pydantic calls it, and what it accepts is accepted. `pattern` is the same rule as a regular
expression, so that whole rows can be matched at once; it may turn a good value away (the row is then looked at by
itself) but never accepts a bad one. Tests mutate values byte by byte to prove that.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import polars as pl
from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

_DIGITS = re.compile("[0-9]+")
_INTEGER = re.compile("-?[0-9]+")
_CURRENCY = re.compile("[A-Z]{3}")
_NUMBER = re.compile(r"-?(?:([0-9]+)(?:\.([0-9]+))?|\.([0-9]+))")


_VISIBLE = r"!-~\x{A1}-\x{167F}"
"""Characters none of which is white space."""


def _text(mark: str, others: str) -> str:
    """Texts that begin with a visible character; `others` says how many may follow."""
    return rf"[[{_VISIBLE}]--[{in_pattern(mark)}]][^{in_pattern(mark)}]{others}"


def _one_of(texts: Sequence[str]) -> str:
    return f"(?:{'|'.join(''.join(map(in_pattern, each)) for each in texts)})" if texts else NOTHING


NOTHING = r"[^\s\S]"
"""Matches no text."""


def in_pattern(character: str) -> str:
    """A character as a regular expression writes it, whatever it means there."""
    return rf"\x{{{ord(character):X}}}"


def refusal(code: str, text: str) -> PydanticCustomError:
    """An error that pydantic reports under our code; braces in the text stay as they are.

    The text never quotes the value: it may be a name or a telephone number that slipped into the wrong field.
    """
    return PydanticCustomError(code, "{text}", {"text": text})


class Kind(ABC):
    """A kind of column."""

    @abstractmethod
    def parse(self, text: str) -> Any:
        """The value of a text, or a refusal with its code."""

    @abstractmethod
    def pattern(self, mark: str) -> str:
        """A regular expression: what it matches whole, `parse` accepts, and it is not blank.

        Args:
            mark: the delimiter; what the expression matches never holds it.
        """

    def identity(self, value: pl.Expr) -> pl.Expr:
        """The same for all accepted texts of one value: the text itself, unless a value can be written in many ways."""
        return value

    @abstractmethod
    def describe(self) -> str:
        """The rule in words, for the page of the contract."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.parse, core_schema.str_schema(strict=True))


@dataclass(frozen=True)
class Text(Kind):
    """Text of at most so many characters; `00123`, `NA` and `null` stay what they are."""

    longest: int

    def parse(self, text: str) -> str:
        if len(text) > self.longest:
            raise refusal("too_long", f"{len(text)} characters, at most {self.longest} are allowed")
        return text

    def pattern(self, mark: str) -> str:
        return _text(mark, f"{{0,{self.longest - 1}}}")

    def describe(self) -> str:
        return f"text, at most {self.longest} characters"


@dataclass(frozen=True)
class LongText(Kind):
    """Text without a limit of ours: what is over `sent` characters is cut when it is sent on."""

    sent: int

    def parse(self, text: str) -> str:
        return text

    def pattern(self, mark: str) -> str:
        return _text(mark, "*")

    def describe(self) -> str:
        return f"text; sent cut to {self.sent} characters, with a warning"


@dataclass(frozen=True)
class Parts(Kind):
    """Texts in one field, separated by `|`."""

    longest_part: int

    def parse(self, text: str) -> tuple[str, ...]:
        parts = tuple(text.split("|"))
        longest = max(map(len, parts))
        if longest > self.longest_part:
            raise refusal("too_long", f"a part of {longest} characters, at most {self.longest_part} are allowed")
        return parts

    def pattern(self, mark: str) -> str:
        return _text(mark, f"{{0,{self.longest_part - 1}}}")

    def describe(self) -> str:
        return f"texts separated by |, each at most {self.longest_part} characters"


@dataclass(frozen=True)
class Digits(Kind):
    """An id made of digits, kept as text with its leading zeros."""

    longest: int

    def parse(self, text: str) -> str:
        if not _DIGITS.fullmatch(text):
            raise refusal("not_digits", "the value is not made of digits only")
        if len(text) > self.longest:
            raise refusal("too_long", f"{len(text)} digits, at most {self.longest} are allowed")
        return text

    def pattern(self, mark: str) -> str:
        return f"[0-9]{{1,{self.longest}}}"

    def describe(self) -> str:
        return f"digits, at most {self.longest}; leading zeros count"


@dataclass(frozen=True)
class Code(Kind):
    """One of a list of codes, letter for letter."""

    values: tuple[str, ...]

    def __init__(self, *values: str) -> None:
        object.__setattr__(self, "values", values)

    def parse(self, text: str) -> str:
        if text not in self.values:
            raise refusal("not_in_list", f"the value is not one of {', '.join(self.values)}")
        return text

    def pattern(self, mark: str) -> str:
        return _one_of([each for each in self.values if mark not in each])

    def describe(self) -> str:
        return "one of " + ", ".join(self.values)


@dataclass(frozen=True)
class Integer(Kind):
    """A whole number in a range, or one of a few."""

    smallest: int = 0
    largest: int = 2_147_483_647
    among: tuple[int, ...] = ()

    def parse(self, text: str) -> int:
        if not _INTEGER.fullmatch(text):
            raise refusal("not_an_integer", "the value is not a whole number")
        digits = text.removeprefix("-").lstrip("0") or "0"
        size = int(digits) if len(digits) < 20 else self.largest + abs(self.smallest) + 1
        value = -size if text.startswith("-") else size
        if not self.smallest <= value <= self.largest:
            raise refusal("out_of_range", f"the value is not between {self.smallest} and {self.largest}")
        if self.among and value not in self.among:
            raise refusal("not_in_list", f"the value is not one of {', '.join(map(str, self.among))}")
        return value

    def pattern(self, mark: str) -> str:
        if self.among:
            return _one_of([str(each) for each in self.among])
        sure = len(str(self.largest + 1)) - 1
        digits = rf"[1-9][0-9]{{0,{sure - 1}}}" if self.smallest == 1 else rf"[0-9]{{1,{sure}}}"
        sign = "-?" if self.smallest <= -(10**sure - 1) else ""
        return sign + digits

    def identity(self, value: pl.Expr) -> pl.Expr:
        return value.str.replace(r"\A(-?)0+([0-9])", "${1}${2}").replace("-0", "0")

    def describe(self) -> str:
        if self.among:
            return "one of " + ", ".join(map(str, self.among))
        return f"whole number from {self.smallest} to {self.largest}"


@dataclass(frozen=True)
class Number(Kind):
    """A plain decimal number that a column decimal(precision, scale) holds without loss."""

    precision: int
    scale: int
    at_least_zero: bool = False

    def parse(self, text: str) -> Decimal:
        found = _NUMBER.fullmatch(text)
        if not found:
            raise refusal("not_a_number", "the value is not a plain decimal number")
        whole = (found[1] or "").lstrip("0")
        decimals = (found[2] or found[3] or "").rstrip("0")
        if len(whole) > self.precision - self.scale:
            raise refusal("out_of_range", f"the value has more than {self.precision - self.scale} digits before .")
        if len(decimals) > self.scale:
            raise refusal("too_precise", f"the value has more than {self.scale} decimals")
        value = Decimal(text)
        if self.at_least_zero and value < 0:
            raise refusal("out_of_range", "the value is less than 0")
        return value

    def pattern(self, mark: str) -> str:
        return self.of_digits(self.precision - self.scale, self.scale)

    def of_digits(self, whole: int, decimals: int) -> str:
        """A regular expression for numbers of so many digits, at most, before and after the point."""
        sign = "" if self.at_least_zero else "-?"
        return rf"{sign}[0-9]{{1,{whole}}}(?:\.[0-9]{{1,{decimals}}})?"

    def describe(self) -> str:
        least = ", at least 0" if self.at_least_zero else ""
        return f"decimal({self.precision},{self.scale}){least}"


@dataclass(frozen=True)
class Currency(Kind):
    """A currency, as ISO 4217 writes it; which of them exist is not looked up."""

    def parse(self, text: str) -> str:
        if not _CURRENCY.fullmatch(text):
            raise refusal("not_in_list", "the value is not a currency such as USD")
        return text

    def pattern(self, mark: str) -> str:
        return "[A-Z]{3}"

    def describe(self) -> str:
        return "currency, three capital letters as in ISO 4217"


PLAIN = Number(30, 12)
"""A number whose precision is not agreed."""
NOT_NEGATIVE = Number(30, 12, at_least_zero=True)

_INSTANT = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?(?:Z|([+-])([0-9]{2}):([0-9]{2}))"
)
_WITHOUT_OFFSET = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?")
_SURE_DAY = (
    r"(?:[12][0-9]{3}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)"
    r"|(?:0[13578]|1[02])-31)|(?:[12][0-9](?:0[48]|[2468][048]|[13579][26])|1600|2000|2400|2800)-02-29)"
)
_SURE_TIME = r"T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
_SURE_OFFSET = r"(?:Z|[+-](?:0[0-9]|1[0-3]):[0-5][0-9])"
WIDEST_OFFSET = timedelta(hours=14)


@dataclass(frozen=True)
class Instant(Kind):
    """A moment: date and time of day with an offset from UTC, as in `2026-07-14T18:00:00-05:00`."""

    def parse(self, text: str) -> datetime:
        found = _INSTANT.fullmatch(text)
        if not found:
            if _WITHOUT_OFFSET.fullmatch(text):
                raise refusal("no_offset", "the value does not say how far it is from UTC")
            raise refusal("not_a_time", "the value is not a date and time as in 2026-07-14T18:00:00Z")
        year, month, day, hour, minute, second = map(int, found.groups()[:6])
        offset = timedelta(hours=int(found[9] or 0), minutes=int(found[10] or 0))
        if offset > WIDEST_OFFSET or int(found[10] or 0) > 59:
            raise refusal("no_such_time", f"no place on earth is {found[8]}{found[9]}:{found[10]} from UTC")
        zone = timezone(-offset if found[8] == "-" else offset)
        micros = int((found[7] or "0")[:6].ljust(6, "0"))
        try:
            return datetime(year, month, day, hour, minute, second, micros, zone)
        except ValueError as error:
            raise refusal("no_such_time", f"the value does not exist: {error}") from None

    def pattern(self, mark: str) -> str:
        return rf"{_SURE_DAY}{_SURE_TIME}(?:\.[0-9]{{1,9}})?{_SURE_OFFSET}"

    def identity(self, value: pl.Expr) -> pl.Expr:
        fraction = value.str.extract(r"\.([0-9]*[1-9])").fill_null("")
        return pl.concat_str(epoch_seconds(value), pl.lit("."), fraction)

    def describe(self) -> str:
        return "date and time with offset, ISO 8601"


_DAY = re.compile("([0-9]{4})-([0-9]{2})-([0-9]{2})")


@dataclass(frozen=True)
class Day(Kind):
    """A day of the calendar at the utility, as in `2026-07-14`; it has no time zone."""

    def parse(self, text: str) -> date:
        found = _DAY.fullmatch(text)
        if not found:
            raise refusal("not_a_day", "the value is not a date as in 2026-07-14")
        try:
            return date(int(found[1]), int(found[2]), int(found[3]))
        except ValueError as error:
            raise refusal("no_such_time", f"the value does not exist: {error}") from None

    def pattern(self, mark: str) -> str:
        return _SURE_DAY

    def describe(self) -> str:
        return "date, ISO 8601"


def epoch_seconds(moment: pl.Expr) -> pl.Expr:
    """Whole seconds from 1970 to moments that are good each for itself, in UTC; fractions are left out."""
    local = moment.str.slice(0, 19).str.to_datetime("%Y-%m-%dT%H:%M:%S", strict=False).dt.epoch("s")
    offset = moment.str.slice(-6)
    hours, minutes = (offset.str.slice(at, 2).cast(pl.Int64, strict=False) for at in (1, 4))
    away = pl.when(offset.str.starts_with("-")).then(-1).otherwise(1) * (hours * 3600 + minutes * 60)
    return pl.when(moment.str.ends_with("Z")).then(local).otherwise(local - away)
