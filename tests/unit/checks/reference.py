"""The plain way to check a file: character by character, row by row, with nothing but the row model.

It shares no code with `drbridge.checks`; what both say must be the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from drbridge.contracts import Contract
from drbridge.contracts.kinds import Instant, Integer, Kind


@dataclass
class Plain:
    """What the plain way finds, by line number."""

    refusal: str = ""
    rows: int = 0
    accepted: set[int] = field(default_factory=set)
    duplicate: set[int] = field(default_factory=set)
    rejected: dict[int, set[tuple[str, str]]] = field(default_factory=dict)


@dataclass
class Record:
    line: int
    fields: list[str]
    fault: str
    terminated: bool


class OpenQuote(Exception):
    pass


def check(contract: Contract, data: bytes, now: datetime, delimiter: str = ",") -> Plain:
    found = Plain()
    by_key: dict[tuple[Any, ...], list[tuple[int, list[str]]]] = {}
    records = read(data.decode("utf-8-sig"), delimiter)
    header = next(records).fields
    try:
        for record in records:
            found.rows += 1
            fault = record.fault or ("field_count" if len(record.fields) != len(header) else "")
            if not record.terminated and len(record.fields) != len(header):
                found.refusal = "cut_off"
                return found
            if fault:
                found.rejected[record.line] = {("", fault)}
                continue
            row = dict(zip(header, record.fields, strict=True))
            flaws = judge(contract, row, now)
            if flaws:
                found.rejected[record.line] = flaws
            else:
                by_key.setdefault(key(contract, row), []).append((record.line, record.fields))
    except OpenQuote:
        found.refusal = "open_quote"
        return found
    return others_considered(contract, found, header, by_key)


def others_considered(
    contract: Contract, found: Plain, header: list[str], by_key: dict[tuple[Any, ...], list[tuple[int, list[str]]]]
) -> Plain:
    """Looks at rows that are good each for itself beside each other."""
    taken: list[tuple[int, dict[str, str]]] = []
    for same in by_key.values():
        if any(fields != same[0][1] for _, fields in same):
            for line, _ in same:
                found.rejected[line] = {(", ".join(contract.key), "conflicting_duplicate")}
        else:
            taken.append((same[0][0], dict(zip(header, same[0][1], strict=True))))
            found.duplicate.update(line for line, _ in same[1:])
    overlapping = overlaps(contract, taken)
    for line, _ in taken:
        if line in overlapping:
            assert contract.periods
            found.rejected[line] = {(contract.periods.start, "overlap")}
        else:
            found.accepted.add(line)
    return found


def overlaps(contract: Contract, rows: list[tuple[int, dict[str, str]]]) -> set[int]:
    """Lines of rows whose period begins before that of an earlier one that is taken has ended."""
    if contract.periods is None:
        return set()
    (of,), start, end = contract.periods.of, contract.periods.start, contract.periods.end
    claims = [
        (row[of], Instant().parse(row[start]), line, row.get(end)) for line, row in rows if row["changeAction"] != "D"
    ]
    found: set[int] = set()
    until: dict[str, datetime | None] = {}
    for thing, begins, line, ends in sorted(claims, key=lambda claim: claim[:3]):
        if thing in until and ((last := until[thing]) is None or begins < last):
            found.add(line)
        else:
            until[thing] = Instant().parse(ends) if ends else None
    return found


def key(contract: Contract, row: dict[str, str]) -> tuple[Any, ...]:
    """What a row is about: ids by their text, numbers by their value, times by the moment they name."""
    return tuple(value_of(contract.by_name[name].kind, row[name]) for name in contract.key)


def value_of(kind: Kind, text: str) -> Any:
    if isinstance(kind, Integer):
        return int(text)
    return moment(text) if isinstance(kind, Instant) and text else text


def moment(text: str) -> tuple[datetime, str]:
    whole, _, rest = text.partition(".")
    fraction = rest.rstrip("Z").split("+")[0].split("-")[0]
    return datetime.fromisoformat(whole + rest[len(fraction) :]), fraction.rstrip("0")


def judge(contract: Contract, row: dict[str, str], now: datetime) -> set[tuple[str, str]]:
    try:
        contract.model.model_validate(row, context={"now": now})
    except ValidationError as error:
        flaws = set()
        for each in error.errors():
            rules = each.get("ctx", {}).get("flaws")
            if rules:
                flaws |= {(rule.field, rule.code) for rule in rules}
            elif each["loc"][0] == "intervals":
                flaws.add((f"{contract.model.columns.name}{each['loc'][1] + 1}", each["type"]))  # type: ignore[attr-defined]
            else:
                flaws.add((str(each["loc"][0]), each["type"]))
        return flaws
    return set()


def read(text: str, delimiter: str) -> Iterator[Record]:
    at, line = 0, 1
    while at < len(text):
        record, end = one(text, at, line, delimiter)
        yield record
        line += text.count("\n", at, end)
        at = end


def one(text: str, at: int, line: int, delimiter: str) -> tuple[Record, int]:
    fields: list[str] = []
    lone = False
    while True:
        if text[at : at + 1] == '"':
            value, after = quoted(text, at + 1)
            rest = text[after : after + 2]
            fields.append(value)
            if rest[:1] == delimiter:
                at = after + 1
                continue
            if rest[:1] == "\n" or rest == "\r\n":
                return Record(line, fields, "lone_carriage_return" * lone, True), after + (2 if rest == "\r\n" else 1)
            if rest in ("", "\r"):
                return Record(line, fields, "lone_carriage_return" * lone, False), len(text)
            return skip(text, after, line)
        after = at
        while after < len(text) and text[after] not in (delimiter, "\n", '"'):
            after += 1
        stop = text[after : after + 1]
        if stop == '"':
            return skip(text, after, line)
        value = text[at:after]
        if stop != delimiter:
            value = value.removesuffix("\r")
        fields.append(value)
        lone = lone or "\r" in value
        if stop != delimiter:
            return Record(line, fields, "lone_carriage_return" * lone, stop == "\n"), after + len(stop)
        at = after + 1


def quoted(text: str, at: int) -> tuple[str, int]:
    """The value of a quoted field and the place after its closing quote."""
    value = ""
    while True:
        end = text.find('"', at)
        if end < 0:
            raise OpenQuote
        value += text[at:end]
        if text[end + 1 : end + 2] != '"':
            return value, end + 1
        value += '"'
        at = end + 2


def skip(text: str, at: int, line: int) -> tuple[Record, int]:
    end = text.find("\n", at)
    return Record(line, [], "bad_quoting", end >= 0), len(text) if end < 0 else end + 1
