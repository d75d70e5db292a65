"""Rows that are shown once more come as they lay there, whatever lies between them, and little else is read."""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest

from drbridge.checks import FileCheck, Limits, recall
from drbridge.contracts import CONTRACTS
from drbridge.errors import Unstable
from drbridge.spans import Spans, size_of
from tests.unit.checks.helpers import NOW, opener
from tests.unit.good_rows import GOOD

NOUN = "event_outcome"
NAMES = list(GOOD[NOUN])
MESSAGES = ("", "plain", 'a "quoted" word', "two\nlines", "three\n\r\nlines", "ünïcødé 数据", "x" * 900)


def zipped(data: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("a.csv", data)
    return out.getvalue()


def mixed(seed: int, rows: int, contradictory: float) -> tuple[bytes, dict[int, str]]:
    """A file of plain, quoted, many-lined, bad and blank rows, and those that contradict an earlier one, by line."""
    random, line, text, wanted = Random(seed), 2, [",".join(NAMES)], dict[int, str]()
    first: dict[str, tuple[int, str]] = {}
    for number in range(rows):
        again = first and random.random() < contradictory
        key = random.choice(list(first)) if again else f"nic{number}"
        message = random.choice(MESSAGES)
        out = io.StringIO()
        csv.writer(out, lineterminator="\r\n", quoting=random.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])).writerow(
            (GOOD[NOUN] | {"nicId": key, "recordId": str(number), "errorMessage": message}).values()
        )
        row = random.choice([out.getvalue().removesuffix("\r\n")] * 8 + ["bad,row", ""])
        text.append(row)
        if row not in ("bad,row", ""):
            if key in first:
                wanted |= dict([first[key], (line, row)])
            first.setdefault(key, (line, row))
        line += 1 + row.count("\n")
    return "\n".join(text).encode() + random.choice([b"", b"\n"]), wanted


def shown(data: bytes, workdir: Path, limits: Limits) -> tuple[dict[int, str], list[Spans | None]]:
    """The rows refused because of others, and what of the file was asked for."""
    asked: list[Spans | None] = []

    @contextmanager
    def noted(spans: Spans | None = None) -> Iterator[Iterator[bytes]]:
        asked.append(spans)
        with opener(data, 777)(spans) as chunks:
            yield chunks

    run = FileCheck(CONTRACTS[NOUN], workdir=workdir, now=NOW, limits=limits)
    for _ in run.blocks(noted):
        pass
    with run.report().rejects_path.open(newline="", encoding="utf-8") as file:
        told = [each for each in csv.DictReader(file) if each["code"] == "conflicting_duplicate"]
    return {int(each["line"]): each["row"] for each in told}, asked


@pytest.mark.parametrize("packed", [bytes, gzip.compress, zipped], ids=["plain", "gzip", "zip"])
@pytest.mark.parametrize("seed", range(6))
def test_rows_are_shown_as_they_came(
    seed: int, packed: Callable[[bytes], bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = Random(seed)
    monkeypatch.setattr(recall, "PLACE_BYTES", random.choice([1, 50, 700]))
    monkeypatch.setattr(recall, "PLACES_BETWEEN", random.choice([0, 1, 4]))
    monkeypatch.setattr(recall, "BATCH_BYTES", random.choice([1, 3_000, 1 << 20]))
    data, wanted = mixed(seed, 150, random.choice([0.02, 0.3]))
    limits = Limits(block_bytes=random.choice([2_000, 1 << 20]), block_rows=random.choice([7, 1_000]))
    assert shown(packed(data), tmp_path, limits)[0] == wanted


def test_little_is_read_again_of_a_large_file_with_few_contradictions(tmp_path: Path) -> None:
    rows = [GOOD[NOUN] | {"nicId": f"nic{number}", "recordId": str(number)} for number in range(20_000)]
    rows += [each | {"outcome": "OVERRIDE"} for each in rows[100:20_000:9_000]]
    data = "\n".join([",".join(NAMES), *(",".join(each.values()) for each in rows)]).encode()
    found, (whole, some) = shown(data, tmp_path, Limits())
    assert sorted(found) == [102, 9_102, 18_102, 20_002, 20_003, 20_004]
    assert whole is None
    assert some is not None
    assert size_of(some) <= 4 * (recall.PLACE_BYTES + 200)


@pytest.mark.parametrize("change", ["another value", "a line less", "cut off", "no text", "a quote"])
def test_rows_that_are_not_the_same_any_more_are_not_shown(change: str, tmp_path: Path) -> None:
    data, _ = mixed(1, 50, 0.3)
    row = data.rindex(b"\n", 0, -1)
    contents = iter([data, {
        "another value": data.replace(b"9001", b"9002"), "a line less": data.replace(b"\n", b" "),
        "cut off": data[:row], "no text": data[:-60] + b"\xff" * 60, "a quote": data.replace(b"9001", b'90"1'),
    }[change]])  # fmt: skip
    run = FileCheck(CONTRACTS[NOUN], workdir=tmp_path, now=NOW)
    with pytest.raises(Unstable):
        list(run.blocks(lambda spans=None: opener(next(contents), 100)(spans)))
