"""Customer files of the CIS as the DERMS takes them: contacts, service points, service agreements.

Columns are known by their place (CCS-DACS guide 23C); a first line that names them is passed over. Tabs part them
though the names end in .csv; commas are taken as well, and so are files in a .zip or .gz.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import IO, BinaryIO, cast

from drbridge_sandbox.rest.answers import Answer, Refused
from drbridge_sandbox.rest.bodies import need_not_refused
from drbridge_sandbox.rest.memory import Effect, Tx
from drbridge_sandbox.rest.tables import Check, moment, one_of, text

CHANGED, FLAG, EXTERNAL_ID = 1, 2, 3
FLAGS = ("F1IL", "F1IC")
FLAG_NAME = "initialLoadSyncFlag"


@dataclass(frozen=True)
class Layout:
    """One kind of file.

    Attributes:
        prefix: start of the batch codes that write it.
        checks: by place, of the columns that must be filled.
    """

    noun: str
    prefix: str
    checks: dict[int, Check]


LAYOUTS = (
    Layout("customer", "C1-DCT", {
        FLAG: one_of(*FLAGS), EXTERNAL_ID: text(30), 4: text(30), 5: text(254),
        10: re.compile("true|false", re.IGNORECASE).fullmatch,
    }),
    Layout("service_point", "C1-DSP", {
        FLAG: one_of(*FLAGS), EXTERNAL_ID: text(30), 4: text(30), 5: one_of("D1CN", "D1DC"), 8: text(60),
    }),
    Layout("service_agreement", "C1-DMS", {
        FLAG: one_of(*FLAGS), EXTERNAL_ID: text(30), 4: text(30), 7: text(30),
    }),
)  # fmt: skip


def take(tx: Tx, file: BinaryIO, refused: frozenset[str]) -> Answer:
    """Takes a file whole or not at all; who is in a contact file is a known customer from now on."""
    layout = next((each for each in LAYOUTS if tx.file_name.startswith(each.prefix)), None)
    if layout is None:
        raise Refused(400, f"{tx.file_name} is not called as a customer file: C1-DCT..., C1-DSP... or C1-DMS...")
    effects = list(_effects(layout, file, refused))
    if not effects:
        raise Refused(400, "The file is empty")
    tx.effects(layout.noun, effects)
    tx.records.keep_all(layout.noun, ((each.entity, {}) for each in effects))
    return Answer(200, {"status": "ACCEPTED", "rows": len(effects)}, rows=len(effects))


def _effects(layout: Layout, file: BinaryIO, refused: frozenset[str]) -> Iterator[Effect]:
    try:
        with _unpacked(file) as plain:
            for number, row in enumerate(_rows(plain), 1):
                if number == 1 and row[FLAG : FLAG + 1] == [FLAG_NAME]:
                    continue
                _check(layout, row, number)
                id_, changed = row[EXTERNAL_ID], row[CHANGED]
                need_not_refused(refused, id_)
                yield Effect(f"{id_}/{changed}" if changed else id_, id_, "|".join(row), _stamp(changed, number))
    except (csv.Error, UnicodeDecodeError, OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise Refused(400, f"The file cannot be read: {error}") from error


@contextmanager
def _unpacked(file: BinaryIO) -> Iterator[IO[bytes]]:
    """The file itself, or the one member of an archive."""
    start = file.read(4)
    file.seek(0)
    if start[:2] == b"\x1f\x8b":
        with gzip.GzipFile(fileobj=file, mode="rb") as member:
            yield cast("IO[bytes]", member)
    elif start == b"PK\x03\x04":
        with zipfile.ZipFile(file) as archive:
            if len(archive.namelist()) != 1:
                raise Refused(400, "The archive must hold exactly one file")
            with archive.open(archive.namelist()[0]) as only:
                yield only
    else:
        yield file


def _rows(plain: IO[bytes]) -> Iterator[Sequence[str]]:
    lines = io.TextIOWrapper(plain, "utf-8-sig", newline="")
    try:
        first = lines.readline()
        yield from csv.reader(chain([first], lines), delimiter="\t" if "\t" in first else ",", strict=True)
    finally:
        lines.detach()


def _check(layout: Layout, row: Sequence[str], number: int) -> None:
    if len(row) <= max(layout.checks):
        raise Refused(400, f"Row {number} has {len(row)} fields instead of at least {max(layout.checks) + 1}")
    for place, check in layout.checks.items():
        if not check(row[place]):
            raise Refused(400, f"Row {number}: field {place + 1} is not allowed to be {row[place]!r:.80}")


def _stamp(changed: str, number: int) -> str:
    try:
        return moment(changed).strftime("%Y-%m-%dT%H:%M:%S.%fZ") if changed else ""
    except ValueError as error:
        raise Refused(400, f"Row {number}: {changed!r} is no time with its offset") from error
