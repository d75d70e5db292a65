"""Staging: whole or not there, the same rows by number each time, nothing of a killed worker left for ever."""

from __future__ import annotations

import os
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from drbridge.checks import FileCheck, Limits
from drbridge.contracts import CONTRACTS
from drbridge.errors import Misconfigured
from drbridge.exchange.cutting import halves, spans
from drbridge.exchange.staging import Need, StagedFile, Staging
from drbridge.systems import DEFAULT_FILE, load
from tests.unit.checks.helpers import opener

CONTRACT = CONTRACTS["event_outcome"]
HEADER = (
    "recordId,eventId,stageId,programId,servicePointId,nicId,headEndSystemId,outcome,participationStartDateTime,"
    "participationEndDateTime,errorMessage\n"
)


def row(number: int, outcome: str = "NON_RESPONSIVE") -> str:
    return f"{number},9001,1315,1,,nic{number},NEST,{outcome},,,\n"


def stage(staging: Staging, text: str, need: Need, limits: Limits | None = None) -> StagedFile:
    run = staging.begin(CONTRACT, need)
    check = FileCheck(CONTRACT, workdir=run.check_folder, now=datetime.now(UTC), limits=limits)

    for block in check.blocks(opener(text.encode(), 1 << 16)):
        run.write(block)
    return run.publish(check.report())


@pytest.fixture
def staging(tmp_path: Path) -> Staging:
    return Staging((tmp_path / "staging").as_uri())


def test_a_folder_with_a_blank_in_its_name_is_that_folder(tmp_path: Path) -> None:
    assert Staging((tmp_path / "my staging").as_uri()).root == tmp_path / "my staging"


@pytest.mark.parametrize("url", ["file://staging/here", "file:staging", "s3://bucket/staging", "/var/staging"])
def test_what_is_no_folder_of_this_machine_is_refused(url: str) -> None:
    with pytest.raises(Misconfigured, match="DRBRIDGE_STAGING") as told:
        Staging(url)
    assert "file:///" in told.value.fix


def test_a_part_that_is_gone_is_told_in_words(staging: Staging) -> None:
    staged = stage(staging, HEADER + row(1), Need(raw=True))
    (staged.folder / "00000.parquet").unlink()
    with pytest.raises(Misconfigured, match="staging folder"):
        list(staged.content("there", 0, 0))


def test_lines_come_back_as_they_came_without_duplicates_and_contradictions(staging: Staging) -> None:
    text = HEADER + row(1) + row(2) + row(1) + row(3) + row(4) + row(4, "ERROR")
    staged = stage(staging, text, Need(raw=True))
    assert b"".join(staged.content("there", 0, 99)).decode() == HEADER + row(1) + row(2) + row(3)
    assert staged.bytes_between("there", 0, 99) == len(HEADER + row(1) + row(2) + row(3))


def test_a_file_is_there_whole_or_not_at_all(staging: Staging) -> None:
    run = staging.begin(CONTRACT, Need(raw=True))
    assert staging.open("event_outcome", "a" * 64, "") is None
    run.discard()
    staged = stage(staging, HEADER + row(1), Need(raw=True))
    assert staging.open("event_outcome", staged.manifest.sha256, staged.manifest.verdict) is not None


def test_the_same_bytes_staged_twice_are_one_folder(staging: Staging) -> None:
    first = stage(staging, HEADER + row(1), Need(raw=True))
    assert stage(staging, HEADER + row(1), Need(raw=True)).folder == first.folder
    assert list((staging.root / "tmp").iterdir()) == []


@pytest.mark.parametrize("need", [Need(), Need(fields=True), Need(raw=True)])
def test_neither_rows_nor_verdict_depend_on_stretches_and_parts(
    staging: Staging, monkeypatch: pytest.MonkeyPatch, need: Need
) -> None:
    text, stretches_of_two = HEADER + "".join(map(row, range(9))) + row(3), Limits(block_rows=2)
    together = stage(staging, text, need, stretches_of_two)
    content = [frame.rows() for _, frame in together.frames("there")]
    monkeypatch.setattr("drbridge.exchange.staging.PART_BYTES", 1)
    shutil.rmtree(together.folder)
    apart = stage(staging, text, need, stretches_of_two)
    assert (len(content), len(apart.manifest.parts), apart.folder) == (1, 5, together.folder)
    assert [frame.rows() for _, frame in apart.frames("there")] == [content[0][at : at + 2] for at in range(0, 9, 2)]
    assert stage(staging, text, need).folder == apart.folder


def test_what_a_killed_worker_left_is_swept_after_a_day(staging: Staging) -> None:
    left, fresh = (staging.begin(CONTRACT, Need()).folder for _ in range(2))
    yesterday = time.time() - 25 * 3600
    os.utime(left, (yesterday, yesterday))
    staging.begin(CONTRACT, Need()).discard()
    assert not left.exists()
    assert fresh.exists()


@pytest.mark.parametrize("rows", [1, 499, 500, 501, 1203])
def test_chunks_share_the_rows_without_gap_or_overlap(staging: Staging, rows: int) -> None:
    staged = stage(staging, HEADER + "".join(map(row, range(rows))), Need(fields=True))
    endpoint = load(DEFAULT_FILE).endpoints["dacs_event_outcome"]
    found = list(spans(staged, endpoint))
    assert sum(span.rows for span in found) == rows
    assert all(span.rows <= endpoint.rows for span in found)
    assert [span.first for span in found[1:]] == [span.last + 1 for span in found[:-1]]


def test_halving_goes_down_to_single_rows_and_loses_none(staging: Staging) -> None:
    staged = stage(staging, HEADER + "".join(map(row, range(37))), Need(fields=True))
    waiting, single = [(0, 36, 37)], 0
    while waiting:
        first, last, count = waiting.pop()
        if count == 1:
            single += 1
            continue
        for half in halves(staged, "there", first, last):
            assert half.rows > 0
            waiting.append((half.first, half.last, half.rows))
    assert single == 37


def test_the_same_bytes_judged_otherwise_are_another_folder(staging: Staging) -> None:
    for_requests = stage(staging, HEADER + row(1), Need(fields=True))
    for_trace = stage(staging, HEADER + row(1), Need())
    assert for_requests.folder != for_trace.folder
    assert staging.open("event_outcome", for_trace.manifest.sha256, for_requests.manifest.verdict) is not None


def test_rows_that_a_newer_file_settled_are_left_out_at_that_destination_only(staging: Staging) -> None:
    staged = stage(staging, HEADER + row(1) + row(2), Need(raw=True))
    frames = [frame for _, frame in staged.frames("there", columns=[])]
    staged.supersede("there", frames[0]["line"].head(1))
    assert b"".join(staged.content("there", 0, 1)).decode() == HEADER + row(2)
    assert b"".join(staged.content("elsewhere", 0, 1)).decode() == HEADER + row(1) + row(2)


def test_what_a_cut_that_was_rolled_back_left_out_travels(staging: Staging) -> None:
    staged = stage(staging, HEADER + row(1) + row(2), Need(raw=True))
    staged.supersede("there", staged.superseded_lines("there").clear().extend_constant(2, 1))
    staged.supersede("there", staged.superseded_lines("elsewhere"))
    assert b"".join(staged.content("there", 0, 1)).decode() == HEADER + row(1) + row(2)
