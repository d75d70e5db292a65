"""The code is upgraded in mid-flight: a ledger that the version before left behind is finished by this one."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import update

from drbridge.exchange.desk import Desk
from drbridge.exchange.take import take
from drbridge.ledger.database import Ledger
from drbridge.ledger.schema import upgrade
from drbridge.ledger.tables import parcels
from drbridge_sandbox.sandbox import Sandbox
from tests.faults.ways import balances, parcel_states, time_passes
from tests.flows.chain import run
from tests.flows.conftest import run_until_killed
from tests.flows.test_trouble import ACK, ACK_FLOW, SCORE, SCORE_FLOW, SCORES, drop_acks

BEFORE = "0004"


def left_behind(ledger: Ledger, folder: Path) -> Ledger:
    """The same ledger as the version before had it: its tables and columns, with every row of ours that fits there."""
    old = Ledger(f"sqlite:///{folder / 'before.db'}")
    upgrade(old, BEFORE)
    for each in (ledger, old):
        each.close()
    with sqlite3.connect(folder / "before.db") as database:
        database.execute("ATTACH ? AS ours", (str(folder / "ledger.db"),))
        names = [row[0] for row in database.execute("SELECT name FROM main.sqlite_master WHERE type = 'table'")]
        for name in set(names) - {"alembic_version"}:
            columns = ", ".join(f'"{row[1]}"' for row in database.execute(f"PRAGMA main.table_info({name})"))
            database.execute(f"INSERT INTO main.{name} ({columns}) SELECT {columns} FROM ours.{name}")
    database.close()
    return old


def test_what_was_under_way_when_the_code_was_upgraded_is_finished_and_sent_once(
    desk: Desk, box: Sandbox, tmp_path: Path
) -> None:
    ids = drop_acks(box, 6)
    run_until_killed(box, tmp_path, ACK_FLOW, "send")
    with desk.ledger.write() as tx:
        waiting = parcels.c.state == "PENDING"
        tx.execute(update(parcels).where(waiting, parcels.c.first_row == 5).values(state="UNKNOWN", tries=1))
    assert set(parcel_states(desk)) == {"IN_FLIGHT", "PENDING", "UNKNOWN"}
    upgraded = replace(desk, ledger=left_behind(desk.ledger, tmp_path))
    upgrade(upgraded.ledger)
    assert parcel_states(upgraded) == parcel_states(desk)
    time_passes(upgraded)
    assert {name: verdict.state for name, verdict in run(upgraded, ACK_FLOW).items()} == {ACK.name: "settled"}
    assert parcel_states(upgraded) == {"ACKED": 6}
    effects = box.far("dacs").effects_of("sync_request")
    assert {each["effects"] for each in effects.values()} == {1}
    assert len(effects) == len(ids)
    assert balances(upgraded)
    upgraded.ledger.close()


@pytest.mark.parametrize("settled", [False, True])
def test_files_taken_before_an_upgrade_are_known_after_it(
    desk: Desk, box: Sandbox, tmp_path: Path, settled: bool
) -> None:
    box.drop(SCORES, SCORE.name, SCORE)
    if settled:
        run(desk, SCORE_FLOW)
        box.drop(SCORES, SCORE.name, SCORE)
    else:
        take(desk, SCORE_FLOW, SCORE.name)
    upgraded = replace(desk, ledger=left_behind(desk.ledger, tmp_path))
    upgrade(upgraded.ledger)
    time_passes(upgraded)
    assert {name: verdict.state for name, verdict in run(upgraded, SCORE_FLOW).items()} == {SCORE.name: "settled"}
    assert box.far("derms").calls("deviceScore") == 1
    upgraded.ledger.close()
