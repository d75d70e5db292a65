"""Settings and disks that do not work are told in words, whichever task meets them."""

from __future__ import annotations

from pathlib import Path

import pytest

from drbridge.contracts import Contract
from drbridge.errors import Interrupted, Misconfigured
from drbridge.exchange.accept import accept, read
from drbridge.exchange.staging import Need, Staging, StagingRun
from drbridge_airflow.desk import clear_desk, desk_for_worker
from drbridge_airflow.operators import Take, WakeDueFlows
from drbridge_sandbox.sandbox import Sandbox
from tests.bricks.files import SCORE_FLOW, SCORES, scores
from tests.bricks.run import RED, Run, make
from tests.unit.contracts.messages import good

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


def test_a_release_that_is_switched_counts_at_once_in_a_process_that_lives_on(box: Sandbox, tmp_path: Path) -> None:
    file = tmp_path / "systems.toml"
    assert desk_for_worker().systems.flows_of_message("program_rules")
    file.write_text(file.read_text().replace('profile = "all"', 'profile = "23C"'))
    with pytest.raises(Misconfigured, match="No flow takes messages of the kind program_rules"):
        accept(desk_for_worker(), [read("program_rules", good("program_rules"), "dacs")])


def test_settings_that_cannot_be_used_leave_the_former_ones_in_force(
    box: Sandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    former = desk_for_worker().systems
    (tmp_path / "systems.toml").write_text("half a sente")
    assert desk_for_worker().systems is former
    assert "cannot be used" in caplog.text
    (tmp_path / "systems.toml").unlink()
    assert desk_for_worker().systems is former
