"""The sandbox's idea of a good row and drbridge's were written apart; here they meet over the files of a day."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from drbridge.checks import FileCheck, FileReport
from drbridge.contracts import CONTRACTS
from drbridge_sandbox.day import Day, make_day
from tests.unit.checks.helpers import opener
from tests.unit.sandbox.carrier import accepted

DAY = date(2026, 7, 14)


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Day:
    return make_day(11, 3_000, DAY, tmp_path_factory.mktemp("day"))


def checked(path: Path, noun: str, delimiter: str, workdir: Path) -> tuple[FileReport, bytes]:
    """What drbridge says of a file, and the accepted lines as they came."""
    check = FileCheck(CONTRACTS[noun], workdir=workdir, now=datetime(2026, 7, 16, tzinfo=UTC), delimiter=delimiter)
    lines = {
        line: raw
        for block in check.blocks(opener(path.read_bytes(), 1 << 16))
        for line, raw in zip(block.frame["line"], block.raw(), strict=True)
    }
    report = check.report()
    for line in report.excluded["line"]:
        del lines[line]
    return report, report.header + b"".join(lines.values())


@pytest.mark.parametrize("number", range(17))
def test_drbridge_finds_what_was_planted_and_nothing_else(day: Day, tmp_path: Path, number: int) -> None:
    file = day.prediction.files[number]
    path = day.folder / file.name
    report, good = checked(path, file.noun, file.delimiter, tmp_path)
    assert report.sha256 == file.sha256
    if file.rows is None:
        assert report.refusal is not None
        return
    assert report.refusal is None
    refused = {problem.line for problem in report.problems()}
    assert refused == {each.line for each in file.refused}
    assert (report.rows, report.accepted, report.rejected, report.duplicate) == (
        file.rows, file.accepted, len(file.refused), len(file.duplicates),
    )  # fmt: skip
    assert good == b"".join(line for _, line in accepted(file, path.read_bytes()))
    dated = CONTRACTS[file.noun].business_at_from_name(file.name) or report.business_at
    assert dated is not None
    assert dated.date() == DAY
