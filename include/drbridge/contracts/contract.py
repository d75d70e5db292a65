"""A contract: all that is agreed about the files of one business noun."""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property
from itertools import compress, groupby
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from drbridge.contracts.across import Periods, Totals
from drbridge.contracts.identifiers import is_identifier
from drbridge.contracts.kinds import Instant, Kind, in_pattern
from drbridge.contracts.problems import CODES, Flaw, Problem
from drbridge.contracts.rows import Row, kind_of

Mask = npt.NDArray[np.bool_]
MOST_FIELDS, MOST_ALIKE = 500, 8
"""Fields of a row up to which each is written into the expression that matches it, and like ones in a row. Of more like
ones any number matches, and fields are counted apart: that is faster, and ten thousand of them fit."""


@dataclass(frozen=True)
class Column:
    """One column of a file, as the contract's page shows it."""

    name: str
    required: bool
    kind: Kind
    description: str
    unit: str
    rule: str


@dataclass(frozen=True)
class Warn:
    """Something worth telling about a row that travels all the same.

    Attributes:
        needs: columns that must be in the file for the warning to be possible.
        when: true for the accepted rows it concerns; over several columns, true for each that it concerns.
        first: cheaper, and true wherever `when` is; only there `when` is asked.
    """

    code: str
    text: str
    needs: tuple[str, ...]
    when: pl.Expr
    first: pl.Expr | None = None


@dataclass(frozen=True)
class Dated:
    """Which column says what business day a file belongs to: its latest or its earliest moment."""

    column: str
    by: Literal["latest", "earliest"]


@dataclass(frozen=True)
class Contract:
    """All that is agreed about the files of one noun.

    Attributes:
        noun: the name under which everything about these files is found.
        prefixes: how file names start.
        model: the row model; what it accepts is accepted.
        key: columns that name the thing a row is about; unique within a file.
        dated: where the business date stands in the content, if it does.
        date_in_name: reads the business date from a file's name, where names carry it.
        empty_is_refused: a file without rows is an error of the sender.
        kept: columns that are kept in staging whatever becomes of the file, besides its key and every id.
        periods: times that must not overlap between rows about one thing.
        totals: amounts that the sender's control record sums up.
        personal: rows are about people, so no problem text ever says what stands in one.
    """

    noun: str
    title: str
    prefixes: tuple[str, ...]
    model: type[Row]
    key: tuple[str, ...]
    dated: Dated | None = None
    date_in_name: Callable[[str], datetime | None] = field(default=lambda _: None)
    warnings: tuple[Warn, ...] = ()
    empty_is_refused: bool = False
    kept: tuple[str, ...] = ()
    periods: Periods | None = None
    totals: Totals | None = None
    personal: bool = False

    @property
    def has_rows(self) -> bool:
        """Whether its files are read row by row; a file of any kind is not."""
        return bool(self.model.model_fields)

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """The columns of the header, in the order the contract lists them."""
        found = []
        for each in self.model.model_fields.values():
            kind = kind_of(each)
            if kind is not None:
                extra = cast(dict[str, str], each.json_schema_extra)
                texts = (each.description or "", extra["unit"], extra["rule"])
                found.append(Column(each.alias or "", each.is_required(), kind, *texts))
        return tuple(found)

    @cached_property
    def by_name(self) -> dict[str, Column]:
        return {each.name: each for each in self.columns}

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """The columns by whose values a row is found again."""
        return tuple(each.name for each in self.columns if is_identifier(each.name))

    @property
    def documented(self) -> tuple[Column, ...]:
        """The columns as the contract's page lists them."""
        return self.columns

    @cached_property
    def identity(self) -> tuple[pl.Expr, ...]:
        """What must be equal for two accepted rows to be about the same thing."""
        return tuple(self.by_name[name].kind.identity(pl.col(name)).alias(name) for name in self.key)

    def lacking(self, names: Sequence[str]) -> list[str]:
        """Columns that a header with these names does not have and must: required ones, and those of the key."""
        needed = [each.name for each in self.columns if each.required or each.name in self.key]
        return [name for name in needed if name not in names]

    def beyond(self, names: Sequence[str]) -> list[str]:
        """Columns of a header with these names that are known and are more than is taken."""
        return []

    def knows(self, name: str) -> bool:
        """Whether a column of this name is agreed."""
        return name in self.by_name

    @property
    def takes_others(self) -> bool:
        """Whether a header may name columns beyond those that are agreed; they travel untouched."""
        return self.model.model_config.get("extra") == "ignore"

    def names_within(self, names: Sequence[str]) -> tuple[str, ...]:
        """What the columns of a header are called while the file is checked: those not agreed by their number."""
        if not self.takes_others:
            return tuple(names)
        return tuple(name if self.knows(name) else f"other {number}" for number, name in enumerate(names, 1))

    def business_at_from_name(self, name: str) -> datetime | None:
        """The moment whose UTC day a file belongs to, if its name says it."""
        return self.date_in_name(name)

    def business_at(self, frame: pl.DataFrame) -> datetime | None:
        """The moment whose UTC day accepted rows belong to, or None when none of them says it."""
        if self.dated is None or self.dated.column not in frame.columns:
            return None
        value = frame[self.dated.column].drop_nulls()
        is_utc = value.str.ends_with("Z")
        found, elsewhere = [self._extreme(value.filter(is_utc))], value.filter(~is_utc)
        if elsewhere.len():
            offsets = elsewhere.to_frame("at").group_by(pl.col("at").str.slice(-6).alias("offset"))
            found += map(self._extreme, offsets.agg("at")["at"])
        moments = [Instant().parse(text) for text in found if text is not None]
        return self.further(moments) if moments else None

    def _extreme(self, moments: pl.Series) -> str | None:
        """The one of moments in one offset that dates them."""
        extreme = moments.min() if self.dated and self.dated.by == "earliest" else moments.max()
        return cast("str | None", extreme)

    def sums(self, frame: pl.DataFrame) -> dict[str, Decimal]:
        """What the amounts of accepted rows come to, exactly, by what they are added up by."""
        if self.totals is None:
            return {}
        groups = frame.group_by(self.totals.per).agg(pl.col(self.totals.amount))
        return {per: _sum(amounts) for per, amounts in groups.iter_rows()}

    def further(self, moments: Sequence[datetime]) -> datetime:
        """The one of several moments that dates a file."""
        return min(moments) if self.dated and self.dated.by == "earliest" else max(moments)

    def sure_row(self, names: Sequence[str], delimiter: str) -> pl.Expr:
        """True for lines (column `row`) that hold a field for each column, each of them surely good for itself.

        A delimiter that values may hold leaves nothing sure.

        Args:
            names: the columns of the header, in its order.
        """
        row, mark = pl.col("row"), in_pattern(delimiter)
        runs = [
            (field, len(list(same))) for field, same in groupby(self._sure_field(each, delimiter) for each in names)
        ]
        longest = max(range(len(runs)), key=lambda number: runs[number][1])
        others, is_open = len(names) - runs[longest][1], runs[longest][1] > MOST_ALIKE
        if delimiter.isalnum() or delimiter in "-+.:" or others > MOST_FIELDS:
            return row.is_null()
        parts = [
            f"{field}(?:{mark}{field})" + ("*" if is_open and number == longest else f"{{{count - 1}}}")
            for number, (field, count) in enumerate(runs)
        ]
        matches = row.str.contains(rf"\A{mark.join(parts)}\z")
        if not is_open:
            return matches
        return matches & (row.str.count_matches(delimiter, literal=True) == len(names) - 1)

    def _sure_field(self, name: str, delimiter: str) -> str:
        column = self.by_name.get(name)
        if column is None:
            return f"[^{in_pattern(delimiter)}]*"
        pattern = column.kind.pattern(delimiter)
        return f"(?:{pattern})" if column.required else f"(?:{pattern})?"

    def surely_fit(self, frame: pl.DataFrame, now: datetime) -> Mask:
        """For each row whose fields are good, whether they surely go together; of other rows it says nothing.

        Args:
            frame: one text column per column of the file.
        """
        rules = self.model.sure_rules(frozenset(frame.columns), now)
        told = frame.select_seq(rule.fill_null(False).alias(str(number)) for number, rule in enumerate(rules))
        good = np.ones(frame.height, dtype=np.bool_)
        for each in told:
            good &= each.to_numpy()
        return good

    def warnings_of(self, frame: pl.DataFrame) -> Iterator[Problem]:
        """What is worth telling about accepted rows (`line` and the columns of the file), in the order of lines."""
        possible = [each for each in self.warnings if set(each.needs) <= set(frame.columns)]
        yield from heapq.merge(*(_warned(each, frame) for each in possible), key=lambda found: found.line)

    def judge(self, line: int, fields: Mapping[str, str | None], now: datetime) -> list[Problem]:
        """What the model says of one row: everything wrong with it; nothing when it is accepted."""
        try:
            self.model.model_validate(fields, context={"now": now})
        except ValidationError as error:
            found = [each for told in error.errors(include_url=False, include_input=False)
                     for each in self._problems(line, told)]  # fmt: skip
            return [self._discreet(each) for each in found] if self.personal else found
        return []

    def _discreet(self, problem: Problem) -> Problem:
        """The same problem in words that are the same for every row."""
        column = self.by_name.get(problem.field)
        rule = f"; agreed is: {column.kind.describe()}" if column else ""
        return replace(problem, text=CODES[problem.code].meaning + rule)

    def _problems(self, line: int, error: ErrorDetails) -> list[Problem]:
        flaws: list[Flaw] = error.get("ctx", {}).get("flaws", [])
        if flaws:
            return [Problem(line, flaw.field, flaw.code, flaw.text) for flaw in flaws]
        text = "there is no value" if error["type"] == "missing" else error["msg"]
        return [Problem(line, self._field_of(error["loc"]), error["type"], text)]

    def _field_of(self, where: tuple[Any, ...]) -> str:
        return str(where[0]) if where else ""


def _warned(warning: Warn, frame: pl.DataFrame) -> Iterator[Problem]:
    """One warning for each row it concerns, with the first column that it concerns, and how many more do."""
    if warning.first is not None:
        if not any(frame.select_seq(warning.first.any()).row(0)):
            return
        frame = frame.filter(pl.any_horizontal(warning.first))
    told = frame.select_seq("line", warning.when.fill_null(False))
    for line, *flags in told.filter(pl.any_horizontal(pl.exclude("line"))).iter_rows():
        first, *others = compress(told.columns[1:], flags)
        more = f" (as in {len(others)} more)" if others else ""
        yield Problem(line, first, warning.code, warning.text + more)


def _sum(amounts: Sequence[str]) -> Decimal:
    return sum(map(Decimal, amounts), Decimal())


_STAMP = re.compile(r"(?<![0-9])([0-9]{8}T[0-9]{6})Z(?![0-9A-Za-z])")
_DAY = re.compile(r"(?<![0-9])([0-9]{8})(?![0-9T])")


def stamp_in(name: str) -> datetime | None:
    """The first time stamp in a name, as in ENROLL_SYNC_20260714T040000Z_0042.csv."""
    return _first(_STAMP, "%Y%m%dT%H%M%S", name)


def day_in(name: str) -> datetime | None:
    """The first day in a name, as in LOAD_FORECAST_20260714_20260713T030000Z.csv."""
    return _first(_DAY, "%Y%m%d", name)


def _first(pattern: re.Pattern[str], form: str, name: str) -> datetime | None:
    found = pattern.search(name)
    try:
        return datetime.strptime(found[1], form).replace(tzinfo=UTC) if found else None
    except ValueError:
        return None
