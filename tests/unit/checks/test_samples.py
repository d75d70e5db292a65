"""The golden samples, written by hand, and what is said of them; also as `drbridge check` says it."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from drbridge.cli.check import CheckCommand
from drbridge.cli.check import check as check_command
from drbridge.contracts import CONTRACTS
from drbridge.systems import DEFAULT_FILE, load
from tests.unit.checks import reference
from tests.unit.checks.helpers import NOW, check

SAMPLES = Path(__file__).parents[2] / "samples"
EXPECTED: dict[tuple[str, str], dict[str, Any]] = {
    (noun, name): expected
    for noun in CONTRACTS
    for name, expected in json.loads((SAMPLES / noun / "expected.json").read_text()).items()
}
DELIMITERS = {
    noun: flow.delimiter for flow in load(DEFAULT_FILE).flows.values() for noun in flow.prefixes.values()
}  # fmt: skip

app = typer.Typer()
app.command(cls=CheckCommand)(check_command)
cli = CliRunner()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")


def test_every_noun_has_its_samples_and_every_sample_is_expected() -> None:
    for noun in CONTRACTS:
        files = {path.name for path in (SAMPLES / noun).glob("*.csv")}
        assert files == {name for owner, name in EXPECTED if owner == noun}
        assert any(name.startswith(CONTRACTS[noun].prefixes) for name in files)


@pytest.mark.parametrize(("noun", "name"), EXPECTED)
def test_a_sample_is_judged_as_expected(noun: str, name: str, tmp_path: Path) -> None:
    expected, data = EXPECTED[noun, name], (SAMPLES / noun / name).read_bytes()
    checked = check(noun, data, tmp_path, delimiter=DELIMITERS[noun])
    report = checked.report
    for count in ("verdict", "rows", "accepted", "rejected", "duplicate"):
        assert getattr(report, count) == expected[count]
    assert [[each.line, each.field, each.code] for each in report.problems()] == expected["problems"]
    assert [[each.line, each.field, each.code] for each in report.warnings()] == expected["warnings"]
    if "accepted_lines" in expected:
        assert sorted(checked.accepted) == expected["accepted_lines"]
        duplicates = report.excluded.filter(reason="duplicate")["line"].to_list()
        assert duplicates == expected["duplicate_lines"]
    if "business_at" in expected:
        moment = CONTRACTS[noun].business_at_from_name(name) or report.business_at
        assert moment == datetime.fromisoformat(expected["business_at"])


@pytest.mark.parametrize(("noun", "name"), EXPECTED)
def test_the_plain_row_loop_judges_samples_the_same(noun: str, name: str) -> None:
    expected, data = EXPECTED[noun, name], (SAMPLES / noun / name).read_bytes()
    plain = reference.check(CONTRACTS[noun], data, NOW, DELIMITERS[noun])
    assert {(line, *flaw) for line, flaws in plain.rejected.items() for flaw in flaws} == {
        tuple(each) for each in expected["problems"]
    }
    assert (len(plain.accepted), len(plain.duplicate)) == (expected["accepted"], expected["duplicate"])


@pytest.mark.parametrize(("noun", "name"), EXPECTED)
def test_the_command_says_it_as_json(noun: str, name: str) -> None:
    expected, file = EXPECTED[noun, name], SAMPLES / noun / name
    result = cli.invoke(app, [noun, str(file), "--json"])
    assert result.exit_code == {"accepted": 0, "accepted_with_rejects": 1, "refused": 2}[expected["verdict"]]
    told = json.loads(result.stdout)
    assert list(told) == ["flow", "file", "sha256", "bytes", "rows", "accepted", "rejected", "duplicate", "verdict",
                          "problems", "warnings"]  # fmt: skip
    assert (told["flow"], told["file"], told["bytes"]) == (noun, str(file), file.stat().st_size)
    assert [[each["line"], each["field"], each["code"]] for each in told["problems"]] == expected["problems"]
    assert all(each["text"] for each in told["problems"] + told["warnings"])
    assert result.stderr == "", "nothing extra in a pipe"


def test_a_file_refused_whole_says_why_and_exits_2(tmp_path: Path) -> None:
    file = tmp_path / "../x y.csv"
    file.write_bytes(b"a,b\n1,2\n")
    result = cli.invoke(app, ["kw_drop", str(file), "--json"])
    assert result.exit_code == 2
    told = json.loads(result.stdout)
    assert (told["verdict"], told["problems"][0]["code"], told["problems"][0]["line"]) == ("refused", "no_header", 1)


@pytest.mark.parametrize("arguments", [
    [], ["kw_drop"], ["no_such_noun", __file__], ["kw_drop", "/no/such/file"], ["kw_drop", "/tmp"],
    ["kw_drop", __file__, "--bogus"], ["dacs_derms_device_score", __file__],
])  # fmt: skip
def test_wrong_usage_exits_3_and_prints_no_verdict(arguments: list[str]) -> None:
    result = cli.invoke(app, arguments)
    assert result.exit_code == 3
    assert result.stdout == ""
    assert result.stderr


@pytest.mark.usefixtures("terminal")
def test_people_get_a_verdict_counts_and_a_table() -> None:
    result = cli.invoke(app, ["device_score", str(SAMPLES / "device_score" / "mixed.csv")])
    assert result.exit_code == 1
    assert "accepted with rejects" in result.stdout
    assert "11 rows: 3 accepted, 7 refused, 1 repeated" in result.stdout
    assert "no_such_time" in result.stdout


@pytest.mark.usefixtures("terminal")
def test_people_get_twenty_problems_and_are_told_how_many_there_are(tmp_path: Path) -> None:
    header = (SAMPLES / "kw_drop" / "mixed.csv").read_bytes().splitlines(keepends=True)[0]
    (tmp_path / "bad.csv").write_bytes(header + b"\n" * 25)
    result = cli.invoke(app, ["kw_drop", str(tmp_path / "bad.csv")])
    assert result.exit_code == 2
    assert "the first 20 of 25" in result.stdout
    assert result.stdout.count("field_count") == 20


def test_the_help_has_an_example() -> None:
    assert "drbridge check device_score" in cli.invoke(app, ["--help"]).stdout


def test_broken_settings_are_wrong_usage_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "systems.toml").write_text("[site]\nquiet_seconds = -1\n")
    monkeypatch.setenv("DRBRIDGE_CONFIG", str(tmp_path / "systems.toml"))
    assert cli.invoke(app, ["kw_drop", str(SAMPLES / "kw_drop" / "mixed.csv")]).exit_code == 3
