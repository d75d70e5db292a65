"""Settings and disks that do not work are told in words, whichever task meets them."""

from __future__ import annotations

from pathlib import Path

import pytest

from drbridge.contracts import Contract
from drbridge.errors import Interrupted, Misconfigured
from drbridge.exchange.staging import Need, Staging, StagingRun
from drbridge_airflow.desk import clear_desk
from drbridge_airflow.operators import Take, WakeDueFlows
from drbridge_sandbox.sandbox import Sandbox
from tests.bricks.files import SCORE_FLOW, SCORES, scores
from tests.bricks.run import RED, Run, make

NAME = "SDCSE_0042_00.csv"


def test_a_full_disk_is_told_and_tried_again(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    begin = Staging.begin

    def begin_on_a_full_disk(self: Staging, contract: Contract, need: Need, delimiter: str) -> StagingRun:
        run = begin(self, contract, need, delimiter)
        (run.folder / "00000.parquet").symlink_to("/dev/full")
        return run

    monkeypatch.setattr(Staging, "begin", begin_on_a_full_disk)
    box.drop(SCORES, NAME, scores())
    run = Run.of(SCORE_FLOW)
    assert run.do(make(Take, SCORE_FLOW, file=NAME), 0) == RED
    assert isinstance(run.error, Interrupted)
    assert "staging folder is full" in run.error.what
    assert "make room" in run.error.fix


def test_a_staging_folder_that_cannot_be_made_is_told(
    box: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("DRBRIDGE_STAGING", (tmp_path / "file" / "staging").as_uri())
    clear_desk()
    box.drop(SCORES, NAME, scores())
    run = Run.of(SCORE_FLOW)
    assert run.do(make(Take, SCORE_FLOW, file=NAME), 0) == RED
    assert isinstance(run.error, Misconfigured)
    assert "DRBRIDGE_STAGING" in run.error.fix


def test_resume_tells_a_ledger_that_cannot_be_used(
    box: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DRBRIDGE_LEDGER_URL", "mysql://host/ledger")
    clear_desk()
    run = Run.of("resume")
    assert run.do(make(WakeDueFlows, "resume")) == RED
    assert isinstance(run.error, Misconfigured)
    assert "Next: write it as postgresql+psycopg2://" in capsys.readouterr().out
