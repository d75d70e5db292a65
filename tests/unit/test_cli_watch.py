"""`drbridge overdue` and `drbridge reconcile`: lists for people and programs, exit codes for scripts."""

from __future__ import annotations

import json

from sqlalchemy import update
from typer.testing import CliRunner

from drbridge.cli import app
from drbridge.ledger.database import Ledger
from drbridge.ledger.tables import deliveries
from tests.unit.ledger.test_parcels import arrive
from tests.unit.test_cli import ledger

runner = CliRunner()

assert ledger


def test_nothing_overdue_is_exit_code_0(ledger: Ledger) -> None:
    assert runner.invoke(app, ["overdue"]).exit_code == 0


def test_what_is_overdue_is_listed_with_exit_code_1(ledger: Ledger) -> None:
    with ledger.write() as tx:
        arrive(tx, rows=30, refused=3)
        tx.execute(update(deliveries).values(opened_at=1.0, flow="dacs_derms_device_score"))
    told = runner.invoke(app, ["overdue", "--json"])
    assert told.exit_code == 1
    (line,) = json.loads(told.stdout)
    assert "not delivered yet for more than 1 day" in line["what"]
    assert "Next: " in runner.invoke(app, ["overdue"]).stdout


def test_a_day_is_read_as_it_is_written_or_refused(ledger: Ledger) -> None:
    told = runner.invoke(app, ["reconcile", "--day", "14.07.2026"])
    assert told.exit_code == 3
    assert "is no day" in told.stderr


def test_a_day_whose_systems_cannot_be_asked_has_differences(ledger: Ledger) -> None:
    told = runner.invoke(app, ["reconcile", "--day", "2026-07-14", "--json"])
    assert told.exit_code == 1
    assert "There is no connection" in told.stdout
