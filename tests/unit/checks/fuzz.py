"""Files whose values are changed byte by byte around every limit, from a seed."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Callable
from decimal import Decimal

from drbridge.contracts import CONTRACTS, Contract
from drbridge.contracts.intervals import IntervalContract
from drbridge.contracts.kinds import Code, Currency, Day, Digits, Instant, Integer, Kind, LongText, Number, Parts, Text
from tests.unit.good_rows import GOOD

NASTY = [
    "", " ", "  ", "\t", "\u00a0", "\u3000", "\u2003x", "\x1f", "\x7f", "\x85", "\u0085", "\ufeffx", "NA", "null",
    "None", "NaN", "nan", "-nan", "inf", "Infinity", "-inf", "0", "-0", "+0", "00", "00123", "-1", "+1", "1.", ".5",
    "-.5", ".", "-", "--1", "1e5", "1E-5", "0x1", "1_000", "1,000", "1 ", " 1", "\u0663", "\uff11", "1\u0663", "½",
    "a,b", 'a"b', '"', '""', "a\nb", "a\r\nb", "a\rb", "\r", "\n", "é" * 12, "😀" * 12, "Y", "y", "N", "0.0000000",
    "true", "1" * 400, "0" * 400 + "1", "0." + "0" * 400 + "1", "x" * 3000, "a|b|c", "|", "x" * 2000 + "|y",
]  # fmt: skip
INSTANTS = [
    "2026-07-14T18:00:00Z", "2026-07-14T18:00:00-05:00", "2026-07-14T18:00:00+05:30", "2026-07-14T18:00:00.5Z",
    "2026-07-14T18:00:00.123456789Z", "2026-07-14T18:00:00.1234567890Z", "2026-07-14T18:00:00", "2026-07-14",
    "2026-07-14 18:00:00Z", "2026-07-14T18:00Z", "2026-07-14T24:00:00Z", "2026-07-14T23:59:59Z",
    "2026-07-14T23:59:60Z", "2026-07-14T23:60:00Z", "2026-02-28T00:00:00Z", "2026-02-29T00:00:00Z",
    "2024-02-29T00:00:00Z", "2000-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2100-02-29T00:00:00Z",
    "2026-02-30T00:00:00Z", "2026-04-31T00:00:00Z", "2026-04-30T00:00:00Z", "2026-12-31T00:00:00Z",
    "2026-00-10T00:00:00Z", "2026-13-10T00:00:00Z", "2026-01-00T00:00:00Z", "2026-01-32T00:00:00Z",
    "0000-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "0999-01-01T00:00:00Z", "9999-12-31T23:59:59Z",
    "9999-12-31T23:59:59-05:00", "2026-07-14T18:00:00+14:00", "2026-07-14T18:00:00+14:01", "2026-07-14T18:00:00-13:59",
    "2026-07-14T18:00:00+23:59", "2026-07-14T18:00:00+05:60", "2026-07-14T18:00:00-00:00", "2026-07-14T18:00:00+0500",
    "2026-07-14T18:00:00+05", "2026-07-14t18:00:00z", "2026-7-14T18:00:00Z", "+2026-07-14T18:00:00Z",
    "02026-07-14T18:00:00Z", "2026-07-14T18:00:00ZZ", "2026-07-14T18:00:00Z ", " 2026-07-14T18:00:00Z",
    "2026-07-15T11:59:59Z", "2026-07-15T12:00:00Z", "2026-07-15T12:00:01Z", "2026-07-15T12:00:00.1Z",
    "2026-07-15T02:00:00+14:00", "2026-07-16T02:00:00+14:00", "2026-07-16T01:59:59+14:00", "2026-07-16T02:00:01+14:00",
    "2026-07-14T22:00:01-14:00", "2026-07-14T22:00:00-14:00", "2026-07-15T11:59:59-00:00", "２026-07-14T18:00:00Z",
    "2022-12-13T14:30:00-05:00", "2022-12-13T16:30:00-05:00", "2022-12-13T19:30:00Z", "2022-12-13T21:30:00Z",
    "2022-12-13T16:30:00-04:00", "2022-12-13T16:30:00.0-05:00", "2022-12-13T16:30:01-05:00",
    "2022-12-13T16:15:00-05:00",
]  # fmt: skip
SAME_START = ["2026-07-14T14:00:00-05:00", "2026-07-14T19:00:00Z", "2026-07-15T00:30:00.000+05:30",
              "2026-07-14T14:00:00.50-05:00", "2026-07-14T19:00:00.5Z", "2026-07-14T19:00:00.500000001Z"]  # fmt: skip
LETTERS = "0123456789+-.:TZtzeE \t_|,x\u0663\u00a0é"


def values_around(kind: Kind, chance: random.Random) -> str:
    """A value near one of the limits of a kind of column."""
    if isinstance(kind, Text | Parts | LongText):
        limit = {Text: "longest", Parts: "longest_part", LongText: "sent"}[type(kind)]
        size: int = getattr(kind, limit) + chance.randint(-2, 2)
        return chance.choice(["x", "é", "😀", " ", "0"]) * size + chance.choice(["", "", "z", "|" + "y" * size])
    if isinstance(kind, Digits):
        return "".join(chance.choices("0123456789", k=kind.longest + chance.randint(-2, 2)))
    if isinstance(kind, Code):
        return chance.choice([*kind.values, chance.choice(kind.values).lower(), chance.choice(kind.values) + " "])
    if isinstance(kind, Integer):
        near = chance.choice([kind.smallest, kind.largest, *kind.among, 0]) + chance.randint(-2, 2)
        return chance.choice(["", "0", "000"]) * (near >= 0) + str(near)
    if isinstance(kind, Number):
        whole = kind.precision - kind.scale + chance.randint(-1, 2)
        decimals = kind.scale + chance.randint(-1, 2)
        text = chance.choice(["9", "1", "0"]) * max(whole, 1) + "." + chance.choice(["9", "0", "5"]) * max(decimals, 1)
        return chance.choice(["", "-", "-", "0"]) + text
    if isinstance(kind, Day):
        return chance.choice(INSTANTS)[: chance.choice([10, 10, 10, 9, 11])]
    if isinstance(kind, Currency):
        return "".join(chance.choices("ABZaé0", k=chance.choice([2, 3, 3, 3, 4])))
    assert isinstance(kind, Instant)
    return chance.choice(INSTANTS)


def bytes_changed(text: str, chance: random.Random) -> str:
    """A value with one or two characters replaced, put in or taken out."""
    letters = list(text)
    for _ in range(chance.choice([1, 1, 2])):
        at = chance.randint(0, len(letters))
        letter = chance.choice(LETTERS)
        change = chance.randrange(3)
        if change == 0:
            letters.insert(at, letter)
        elif letters:
            letters[min(at, len(letters) - 1)] = letter if change == 1 else ""
    return "".join(letters)


def row(contract: Contract, number: int, chance: random.Random) -> dict[str, str]:
    """The good row of a noun with a few things changed; most rows get a key of their own."""
    made = dict(GOOD[contract.noun])
    if isinstance(contract, IntervalContract):
        change_intervals(contract, made, chance)
    times = [name for name in contract.key if isinstance(contract.by_name[name].kind, Instant)]
    if number % 50:
        made[[name for name in contract.key if name not in times][-1]] = str(number)
    elif times:
        made[times[0]] = chance.choice(SAME_START)
    if contract.periods and chance.random() < 0.2:
        made |= {contract.periods.of[0]: chance.choice("ABC"), contract.periods.start: chance.choice(INSTANTS),
                 contract.periods.end: chance.choice([*INSTANTS, ""])}  # fmt: skip
    for _ in range(chance.choice([0, 1, 1, 1, 2, 3])):
        name = chance.choice(list(made))
        column = contract.by_name.get(name)
        kind = column.kind if column else contract.layout.kind  # type: ignore[attr-defined]
        ways: list[Callable[[], str]] = [
            lambda: chance.choice(NASTY),
            lambda kind=kind: values_around(kind, chance),
            lambda kind=kind: values_around(kind, chance),
            lambda name=name: bytes_changed(made[name], chance),
            lambda name=name: bytes_changed(made[name], chance),
            lambda: chance.choice(INSTANTS),
        ]
        made[name] = chance.choice(ways)()
    return made


def change_intervals(contract: IntervalContract, made: dict[str, str], chance: random.Random) -> None:
    """Other values, gaps and lengths, and a total that is right, just right, or just wrong."""
    names = [name for name in made if contract.layout.number(name)]
    if chance.random() < 0.5:
        for name in names:
            if made[name] or chance.random() < 0.1:
                spread = chance.choice([
                    "0",
                    "0.01",
                    "1.005",
                    "-2.5",
                    "123456.1234",
                    "99999999.9999",
                    "",
                    "7.100",
                    "0.123456789012",
                    "999.999999999999",
                    "1234.1234567",
                    "0.000000000001",
                ])
                made[name] = spread if chance.random() < 0.9 else str(chance.uniform(-9, 9))[:8]
    if chance.random() < 0.3:
        made[contract.layout.start], made[contract.layout.end] = chance.choices(INSTANTS, k=2)
    if chance.random() < 0.1:
        made[contract.layout.size] = chance.choice(["300", "900", "1800", "3600", "0900", "7", "0", "7200"])
    numbers = [Decimal(made[name]) for name in names if made[name]]
    if not numbers or chance.random() < 0.2:
        return
    right = {
        "kwh_avoided": sum(numbers, Decimal()),
        "kw_drop": max(numbers),
        "load_forecast": sum(numbers, Decimal()) / len(numbers),
    }[contract.noun]
    edge = {
        "kwh_avoided": Decimal("0.01") * len(numbers),
        "kw_drop": Decimal(0),
        "load_forecast": Decimal("0.001"),
    }[contract.noun]
    least = Decimal(10) ** -chance.choice([4, 6, 9, 12])
    steps = [Decimal(0), Decimal(0), edge, -edge, edge + least, -edge - least, edge / 2]
    made[contract.layout.total] = f"{right + chance.choice(steps):.{-least.as_tuple().exponent}f}"


def file(noun: str, seed: int, rows: int, mark: str = ",") -> bytes:
    """A file of such rows, quoted in every way a sender might."""
    chance = random.Random(f"{noun} {seed}")
    contract = CONTRACTS[noun]
    names = list(GOOD[noun])
    if chance.random() < 0.3:
        optional = [each.name for each in contract.columns if each.name not in contract.lacking([])]
        names = [name for name in names if name not in optional or chance.random() < 0.5]
    if chance.random() < 0.3:
        chance.shuffle(names)
    made: list[list[str]] = []
    for number in range(rows):
        if made and chance.random() < 0.03:
            made.append(chance.choice(made))
        else:
            fields = row(contract, number, chance)
            made.append([fields[name] for name in names])
    out = io.StringIO()
    end = chance.choice(["\n", "\r\n"])
    never_quotes = chance.random() < 0.3
    csv.writer(out, lineterminator=end, delimiter=mark).writerow(names)
    for fields in made:
        if chance.random() < 0.01:
            fields = fields[: chance.randint(0, len(fields))] + ["x"] * chance.randint(0, 2)
        careless = never_quotes and not any(each in "".join(fields) for each in '"\n')
        if careless or chance.random() < 0.02:
            out.write(mark.join(fields).replace('"', "" if chance.random() < 0.9 else "'") + end)
        else:
            quoting = csv.QUOTE_ALL if chance.random() < 0.1 else csv.QUOTE_MINIMAL
            csv.writer(out, lineterminator=end, quoting=quoting, delimiter=mark).writerow(fields)
    bom = b"\xef\xbb\xbf" if chance.random() < 0.2 else b""
    text = out.getvalue().encode()
    return bom + (text if chance.random() < 0.8 else text.rstrip(b"\r\n"))


def structure(seed: int, noun: str = "enrollment_ack") -> bytes:
    """A small file of shuffled marks: quotes, delimiters and line ends in every wrong place."""
    chance = random.Random(f"structure {seed}")
    good = GOOD[noun]
    header = ",".join(good) + chance.choice(["\n", "\r\n"])
    body = ""
    for number in range(chance.randint(0, 12)):
        line = ",".join({**good, "syncRequestId": str(number % 9)}.values())
        if chance.random() < 0.4:
            line = ",".join(f'"{value}"' if chance.random() < 0.5 else value for value in line.split(","))
        body += line + chance.choice(["\n", "\n", "\r\n"])
    letters = list(body)
    for _ in range(chance.choice([0, 1, 1, 2, 4, 8])):
        at = chance.randint(0, len(letters))
        letters.insert(at, chance.choice(['"', '"', '""', '","', '"\n', '\n"', "\r", "\n", ",", '"\r\n', "é", "x"]))
    if letters and chance.random() < 0.3:
        del letters[-chance.randint(1, len(letters)) :]
    return (header + "".join(letters)).encode()
