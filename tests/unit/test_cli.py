"""The command line: every command documented, plain words for wrong settings, nothing extra in a pipe."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import update
from typer.testing import CliRunner

from drbridge.cli import app
from drbridge.cli.desk import open_desk
from drbridge.cli.docs import CommandDocs, commands_of
from drbridge.exchange.accept import accept, read
from drbridge.ledger import audit, intakes
from drbridge.ledger.database import Ledger
from drbridge.ledger.tables import messages
from tests.ledgers import ledger_in
from tests.unit.contracts.messages import good
from tests.unit.ledger.test_parcels import arrive

runner = CliRunner()


@pytest.fixture(autouse=True)
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledger]:
    monkeypatch.setenv("DRBRIDGE_HOME", str(tmp_path))
    monkeypatch.setenv("DRBRIDGE_LEDGER_URL", f"sqlite:///{tmp_path / 'ledger.db'}")
    monkeypatch.setenv("DRBRIDGE_STAGING", (tmp_path / "staging").as_uri())
    made = ledger_in(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("command", commands_of(app, "drbridge"), ids=lambda command: command.name)
def test_every_command_is_documented_with_an_example(command: CommandDocs) -> None:
    assert command.what.endswith(".")
    assert "drbridge " in command.example
    for name, text in command.parameters:
        assert text, f"{command.name}: {name} is not explained"


@pytest.mark.parametrize("command", commands_of(app, "drbridge"), ids=lambda command: command.name)
def test_every_command_has_help(command: CommandDocs) -> None:
    told = runner.invoke(app, [*command.name.split()[1:], "--help"])
    assert told.exit_code == 0
    assert "Example" in told.stdout


@pytest.mark.parametrize("group", [[], ["ledger"]])
def test_help_on_a_group_of_commands_has_an_example(group: list[str]) -> None:
    assert "Example: drbridge " in runner.invoke(app, [*group, "--help"]).stdout


def test_the_ledger_is_listed_for_programs(ledger: Ledger) -> None:
    with ledger.write() as tx:
        arrive(tx, rows=30, refused=3)
    told = runner.invoke(app, ["ledger", "list", "--json"])
    (line,) = json.loads(told.stdout)
    assert (line["rows"], line["rejected"], line["open"]) == (30, 3, 27)
    sums = json.loads(runner.invoke(app, ["ledger", "balance", "--json"]).stdout)
    assert sums[0]["files"] == 1


def test_a_delivery_is_shown_with_its_problems_and_parcels(ledger: Ledger) -> None:
    with ledger.write() as tx:
        delivery = arrive(tx, rows=30, refused=3)
        assert intakes.codes(tx, 1) == {"missing": 3}
    told = runner.invoke(app, ["ledger", "show", str(delivery)])
    assert told.exit_code == 0
    assert "missing" in told.stdout
    assert "PENDING" in told.stdout


def test_a_delivery_that_is_not_there_is_said_so() -> None:
    told = runner.invoke(app, ["ledger", "show", "99"])
    assert told.exit_code == 1
    assert "no delivery 99" in told.stdout


def test_nothing_known_of_a_key_is_said_so() -> None:
    told = runner.invoke(app, ["trace", "nobody"])
    assert told.exit_code == 1
    assert "nobody" in told.stdout


@pytest.mark.parametrize("command", ["list", "balance"])
def test_a_flow_that_is_not_known_is_said_so(command: str) -> None:
    told = runner.invoke(app, ["ledger", command, "--flow", "dacs_derms_device_scores"])
    assert told.exit_code == 3
    assert "no flow dacs_derms_device_scores" in told.stderr
    assert "dacs_derms_device_score," in told.stderr


def test_acts_of_persons_are_listed(ledger: Ledger) -> None:
    with ledger.write() as tx:
        audit.note(tx, "maria", "resend all", "a_flow/manual__1", "ticket 4711")
    (act,) = json.loads(runner.invoke(app, ["ledger", "audit", "--json"]).stdout)
    assert (act["who"], act["act"], act["run"], act["why"]) == (
        "maria",
        "resend all",
        "a_flow/manual__1",
        "ticket 4711",
    )


def test_the_tables_are_made_by_a_command_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRBRIDGE_LEDGER_URL", f"sqlite:///{tmp_path / 'new.db'}")
    monkeypatch.setenv("DRBRIDGE_CONFIG", str(tmp_path / "not there"))
    told = runner.invoke(app, ["ledger", "upgrade"])
    assert (told.exit_code, told.stdout) == (0, "The ledger's tables are current.\n")
    made = Ledger()
    with made.read() as tx:
        assert audit.acts(tx) == []
    made.close()


def test_a_ledger_that_cannot_be_used_is_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRBRIDGE_LEDGER_URL", "mysql://host/ledger")
    for command in ("upgrade", "list"):
        told = runner.invoke(app, ["ledger", command])
        assert told.exit_code == 3
        assert "Next: write it as postgresql+psycopg2://" in told.stderr


def test_a_wrong_setting_is_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRBRIDGE_STAGING", "ftp://somewhere")
    told = runner.invoke(app, ["ledger", "list"])
    assert told.exit_code == 3
    assert "DRBRIDGE_STAGING" in told.stderr
    assert "Traceback" not in told.stderr


def test_a_message_is_shown_by_our_number_and_by_the_one_its_sender_gave_it(ledger: Ledger) -> None:
    desk = open_desk()
    (receipt,) = accept(desk, [read("event_opt_out", good("event_opt_out"), "dacs")])
    for number in (receipt.number, "OO-1"):
        assert json.loads(runner.invoke(app, ["inbox", "show", number]).stdout)["messageNumber"] == receipt.number
    told = runner.invoke(app, ["inbox", "show", "OO-11"])
    assert (told.exit_code, "No message has the number OO-11" in told.stderr) == (1, True)


def test_a_message_whose_content_was_deleted_says_so_and_blames_no_key(ledger: Ledger) -> None:
    accept(open_desk(), [read("event_opt_out", good("event_opt_out"), "dacs")])
    with ledger.write() as tx:
        tx.execute(update(messages).values(sealed=b""))
    told = runner.invoke(app, ["inbox", "show", "OO-1", "--content"])
    assert told.exit_code == 3
    assert "The content of this message was deleted" in told.stderr
