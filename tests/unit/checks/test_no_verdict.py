"""What keeps `drbridge check` from a verdict is told in one line, with exit code 3, and nothing is left behind."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from drbridge.checks import FileCheck
from drbridge.checks.spool import Spool
from drbridge.cli.check import CheckCommand
from drbridge.cli.check import check as check_command
from tests.unit.good_rows import csv_of

app = typer.Typer()
app.command(cls=CheckCommand)(check_command)
cli = CliRunner()
GOOD_FILE = csv_of("device_score", {})


def said(file: Path | str) -> str:
    """What is said of a file that gets no verdict."""
    result = cli.invoke(app, ["device_score", str(file)])
    assert result.exit_code == 3
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert "Traceback" not in result.stderr
    return result.stderr


def test_a_name_that_is_too_long() -> None:
    assert "too long" in said("/tmp/" + "x" * 300)


def test_a_folder_that_may_not_be_entered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(_: Path) -> bool:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), "closed/x.csv")

    monkeypatch.setattr(Path, "is_file", refuse)
    assert "Permission denied" in said(tmp_path / "closed/x.csv")


def test_a_file_that_changes_while_it_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_bytes(csv_of("device_score", {}, {"deviceScore": "1"}))
    shown = FileCheck._refused_for_others

    def change_and_show(check: FileCheck, open_file: object) -> Iterator[object]:
        file.write_bytes(file.read_bytes()[:-3] + b"9\n")
        return shown(check, open_file)  # type: ignore[arg-type]

    monkeypatch.setattr(FileCheck, "_refused_for_others", change_and_show)
    assert "changed while it was read" in said(file)


@pytest.mark.parametrize(("error", "text"), [
    (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "No room is left"),
    (OSError(errno.EIO, os.strerror(errno.EIO)), "Input/output error"), (AssertionError("two\nlines"), "fault of"),
])  # fmt: skip
def test_a_full_disk_and_faults_of_any_kind(
    error: Exception, text: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(Spool, "add", fail)
    (tmp_path / "x.csv").write_bytes(csv_of("device_score", {"availabilityFlag": "X"}))
    assert text in said(tmp_path / "x.csv")


@pytest.mark.parametrize(("name", "told"), [
    (b"bad\xffname.csv", "bad\\udcffname.csv"), (b"a\x1b[31mb\nc.csv", "a\\x1b[31mb\\nc.csv"),
    ("[bold]é.csv".encode(), "[bold]é.csv"),
])  # fmt: skip
def test_names_are_printed_on_one_line_with_their_odd_characters_spelled_out(
    name: bytes, told: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    file = tmp_path / os.fsdecode(name)
    file.write_bytes(GOOD_FILE)
    result = cli.invoke(app, ["device_score", str(file)])
    assert result.exit_code == 0
    assert f"/{told}  (device_score)\n" in result.stdout
    file.unlink()
    assert told in said(file)


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., subprocess.Popen[bytes]]:
    """Starts the command in a process of its own, with the folder `work` for what it lays aside."""
    (tmp_path / "work").mkdir()
    (tmp_path / "x.csv").write_bytes(GOOD_FILE)
    environment = {**os.environ, "TMPDIR": str(tmp_path / "work"), "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", "from drbridge.cli import app; app()", "check", "device_score"]

    def run(file: Path, *options: str, **streams: object) -> subprocess.Popen[bytes]:
        return subprocess.Popen([*command, str(file), *options], env=environment, **streams)  # type: ignore[call-overload,no-any-return]

    return run


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_full_device_for_the_result(
    start: Callable[..., subprocess.Popen[bytes]], options: list[str], tmp_path: Path
) -> None:
    with Path("/dev/full").open("wb") as full:
        process = start(tmp_path / "x.csv", *options, stdout=full, stderr=subprocess.PIPE)
        _, error = process.communicate()
    assert process.returncode == 3
    assert error.decode().splitlines() == ["The result cannot be written: No space left on device."]


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_reader_that_has_gone_away(
    start: Callable[..., subprocess.Popen[bytes]], options: list[str], tmp_path: Path
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = start(tmp_path / "x.csv", *options, stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    _, error = process.communicate()
    assert (process.returncode, error) == (3, b"")


def test_sigterm_leaves_nothing_behind(start: Callable[..., subprocess.Popen[bytes]], tmp_path: Path) -> None:
    (tmp_path / "big.csv").write_bytes(csv_of("device_score") + b"\n" * 3_000_000)
    process = start(tmp_path / "big.csv", "--json", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    while not list((tmp_path / "work").glob("*/problems.csv")):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    _, error = process.communicate()
    assert (process.returncode, error) == (3, b"Stopped before the end.\n")
    assert list((tmp_path / "work").iterdir()) == []
