"""Disks that are full: staging, ledger, a content server. It is told, nothing is lost, and it goes on with room."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from sqlalchemy import event, text

from drbridge.errors import Interrupted, Unreachable
from drbridge.exchange.desk import Desk
from drbridge.exchange.relay import relay
from drbridge.exchange.send import send
from drbridge.exchange.staging import Staging
from drbridge.exchange.take import take
from drbridge.ledger.database import Ledger
from drbridge_sandbox.sandbox import Sandbox
from tests.faults import rude_sftp
from tests.faults.ways import (
    RELAYED,
    Way,
    arrived,
    balances,
    connected,
    intakes_of,
    parcel_states,
    states,
    time_passes,
)
from tests.flows.chain import NOW, run
from tests.flows.test_trouble import ACK, ACK_FLOW, drop_acks

MakeRoom = Callable[[], None]
Disk = tuple[Path, MakeRoom]
FOLDER = "sftp://ouai_files/incoming/enrollment"


@pytest.fixture
def full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    """A disk without one free byte, and what makes room on it.

    It is a real one of 1 MB where we may mount one; else writing to it fails as it would there.
    """
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        monkeypatch.setattr(pl.DataFrame, "write_parquet", _no_room)
        yield folder, monkeypatch.undo
        return
    ballast = folder / "ballast"
    _fill(ballast)
    yield folder, ballast.unlink
    subprocess.run(["umount", "-l", folder], check=True)


def _no_room(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _fill(ballast: Path) -> None:
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass


def take_or_relay(desk: Desk, way: Way) -> None:
    if way.arrived:
        relay(desk, way.flow, way.name, NOW)
    else:
        take(desk, way.flow, way.name)


def test_a_full_staging_disk_is_told_and_the_file_goes_once_there_is_room(
    desk: Desk, box: Sandbox, way: Way, full_disk: Disk
) -> None:
    folder, make_room = full_disk
    small = replace(desk, staging=Staging(folder.as_uri()))
    data = way.data(500)
    box.drop(way.url, way.name, data)
    with pytest.raises(Interrupted, match="disk under the staging folder is full"):
        take_or_relay(small, way)
    assert states(small, way) == {way.name: "open"}
    assert (intakes_of(desk), arrived(box, way)) == (0, {})
    make_room()
    assert states(small, way) == {way.name: "settled"}
    assert len(arrived(box, way)) == (1 if way.arrived else 500)


def full_ledger(ledger: Ledger, pages: int) -> MakeRoom:
    """Lets the database grow by so many pages and no further, as SQLite does on a full disk; returns what ends that."""
    with ledger.read() as tx:
        most = int(tx.execute(text("PRAGMA page_count")).scalar_one()) + pages
    ledger.close()

    def limit(connection: object, _record: object) -> None:
        connection.execute(f"PRAGMA max_page_count={most}")  # type: ignore[attr-defined]

    event.listen(ledger.engine, "connect", limit)
    return ledger.close


def test_a_full_ledger_is_told_and_nothing_is_taken_in_half(desk: Desk, box: Sandbox) -> None:
    drop_acks(box, 400)
    make_room = full_ledger(desk.ledger, 2)
    with pytest.raises(Unreachable, match="full"):
        take(desk, ACK_FLOW, ACK.name)
    make_room()
    assert (intakes_of(desk), parcel_states(desk)) == (0, {})
    time_passes(desk)
    assert take(desk, ACK_FLOW, ACK.name).state == "taken"
    assert parcel_states(desk) == {"PENDING": 400}


def test_a_ledger_that_fills_up_between_send_and_note_sends_nothing_twice(desk: Desk, box: Sandbox) -> None:
    ids = drop_acks(box, 400)
    take(desk, ACK_FLOW, ACK.name)
    make_room = full_ledger(desk.ledger, 1)
    with pytest.raises(Unreachable, match="full"):
        send(desk, ACK_FLOW, NOW)
    make_room()
    heard = box.far("dacs").calls()
    assert 0 < heard < 400
    assert parcel_states(desk)["IN_FLIGHT"] > 0, "sent, and not noted"
    time_passes(desk)
    states = {name: verdict.state for name, verdict in run(desk, ACK_FLOW).items()}
    assert states == {ACK.name: "settled"}
    effects = box.far("dacs").effects_of("sync_request")
    assert set(ids) <= {key.split("/")[0] for key in effects}
    assert {each["effects"] for each in effects.values()} == {1}
    assert balances(desk)


def test_a_full_content_server_is_told_and_keeps_no_half_file(desk: Desk, box: Sandbox) -> None:
    store = desk.systems.stores["ouai_enrollment"].model_copy(update={"url": FOLDER})
    systems = desk.systems.model_copy(update={"stores": {**desk.systems.stores, store.name: store}})
    there, data = box.place(FOLDER), RELAYED.data(2_000)
    there.remove(RELAYED.name)
    box.drop(RELAYED.url, RELAYED.name, data)
    with rude_sftp.serving(box.servers["ouai"].root) as (connection, rudeness):
        to_folder = replace(connected(desk, box, ouai_files=connection), systems=systems)
        rudeness.full = True
        with pytest.raises(Unreachable, match="No space left"):
            relay(to_folder, RELAYED.flow, RELAYED.name, NOW)
        assert there.names() == []
        assert parcel_states(desk).keys() <= {"PENDING", "UNKNOWN"}
        rudeness.full = False
        time_passes(desk)
        assert states(to_folder, RELAYED) == {RELAYED.name: "settled"}
    assert box.files(FOLDER) == {RELAYED.name: data}
    there.remove(RELAYED.name)
