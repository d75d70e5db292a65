"""What names a key is found by the lists of ids: the same as by reading everything, whatever stands in a file."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drbridge.checks import FileCheck, Limits
from drbridge.contracts import CONTRACTS
from drbridge.exchange import part_index, staging
from drbridge.exchange.staging import Need, StagedFile, Staging
from drbridge.exchange.trace_files import lines_naming
from tests.unit.checks.helpers import opener

CONTRACT = CONTRACTS["event_outcome"]
NAMES = (
    "recordId", "eventId", "stageId", "programId", "servicePointId", "nicId", "headEndSystemId", "outcome",
    "participationStartDateTime", "participationEndDateTime", "errorMessage",
)  # fmt: skip
NICS = ("7", "07", " 7", "7,8", 'a"b', '"', "'7'", "Zähler", "z\u2028z", "NULL")
KEYS = (*NICS, "E1", "E2", "S1", "not there", "NEST", "NON_RESPONSIVE", "b")

Rows = list[list[str]]


def row(nic: str, event: str, point: str, outcome: str, is_short: bool) -> list[str]:
    """One row: refused when its outcome is not agreed or a field is missing; a repeated one may contradict another."""
    fields = [nic, event, "S1", "E1", point, nic, "NEST", outcome, "", "", ""]
    return fields[:-1] if is_short else fields


rows = st.lists(
    st.builds(
        row, st.sampled_from(NICS), st.sampled_from(["E1", "E2", ""]), st.sampled_from(["", *NICS]),
        st.sampled_from(["NON_RESPONSIVE"] * 4 + ["REJECTED", "MAYBE"]), st.sampled_from([False] * 9 + [True]),
    ),
    min_size=1, max_size=40,
)  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def a_part_of_each_stretch() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(staging, "PART_BYTES", 1)
        yield


def stage(folder: Path, data: Rows, block_rows: int = 4) -> StagedFile:
    """The rows as a file, checked and staged in parts of a few rows."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([NAMES, *data])
    run = Staging(folder.as_uri()).begin(CONTRACT, Need())
    limits = Limits(block_rows=block_rows)
    check = FileCheck(CONTRACT, workdir=run.check_folder, now=datetime.now(UTC), limits=limits)

    for block in check.blocks(opener(text.getvalue().encode(), 1 << 16)):
        run.write(block)
    return run.publish(check.report())


def found(staged: StagedFile, key: str) -> list[tuple[int, set[str]]]:
    """The lines that name a key and the columns that hold it, as trace finds them."""
    parts = part_index.naming(staged.part_paths, key)
    runs = lines_naming(staged, parts, key)
    return [(line, set(run.matched)) for run in runs for line in range(run.first, run.last + 1)]


def standing(data: Rows, key: str) -> list[tuple[int, set[str]]]:
    """The same, told from the rows themselves."""
    told = [
        {name for name, value in zip(NAMES, fields, strict=False) if value == key and name in CONTRACT.ids}
        for fields in data
    ]
    return [(line, names) for line, names in enumerate(told, 2) if names]


@settings(max_examples=20, deadline=None, derandomize=True)
@given(rows)
def test_the_lists_lead_to_every_line_that_names_a_key_and_to_no_other(data: Rows) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(part_index, "STRETCH_ROWS", 3)
        staged = stage(Path(folder), data)
        for key in KEYS:
            assert found(staged, key) == standing(data, key), key
        for part in staged.part_paths:
            part_index.path_of(part).unlink()
        for key in KEYS:
            assert found(staged, key) == standing(data, key), f"{key}, by reading everything"


TWELVE = [row(f"nic{number}", "E1", "", "NON_RESPONSIVE", False) for number in range(12)]


def test_only_parts_that_name_the_key_are_read(tmp_path: Path) -> None:
    parts = stage(tmp_path, TWELVE).part_paths
    assert len(parts) > 2
    for nic in ("nic0", "nic5", "nic11"):
        assert part_index.naming(parts, nic) == {part for part in parts if nic in pl.read_parquet(part)["nicId"]}
    assert part_index.naming(parts, "E1") == set(parts)
    assert part_index.naming(parts, "nobody") == set()


def test_a_part_that_an_older_version_staged_is_read_beside_the_others(tmp_path: Path) -> None:
    staged = stage(tmp_path, TWELVE)
    older, *_, last = staged.part_paths
    part_index.path_of(older).unlink()
    for key in ("nic0", "nic11", "E1"):
        assert found(staged, key) == standing(TWELVE, key)
    assert part_index.naming(staged.part_paths, "nic11") == {older, last}


def test_a_part_that_was_swept_meanwhile_is_passed_over(tmp_path: Path) -> None:
    gone, *others = stage(tmp_path, TWELVE).part_paths
    gone.unlink()
    part_index.path_of(gone).unlink()
    assert part_index.naming([gone, *others], "E1") == set(others)


def test_a_program_is_in_every_row_and_is_not_listed(tmp_path: Path) -> None:
    staged = stage(tmp_path, [["1", "E1", "S1", "PRG", "", "nic1", "NEST", "NON_RESPONSIVE", "", "", ""]])
    assert found(staged, "PRG") == found(staged, "NEST") == []
