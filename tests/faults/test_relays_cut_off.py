"""Relays that end in the middle of an upload in parts: killed, cut off, fenced; and files that do not travel at all."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from drbridge.adapters import s3_upload
from drbridge.adapters.outside import ConnectionsOutside
from drbridge.errors import Unreachable
from drbridge.exchange.desk import Desk
from drbridge.exchange.relay import relay
from drbridge.ledger.leases import Fenced
from drbridge.ledger.tables import leases, uploads
from drbridge.ports import FileStore, RestTarget
from drbridge.spans import Spans
from drbridge_sandbox.sandbox import Sandbox
from tests.faults import gate as gates
from tests.faults.gate import Gate
from tests.faults.test_uploads import PART_BYTES, cut_after
from tests.flows.cases import ENROLLMENT, ENROLLMENT_FLOW, ENROLLMENTS, states
from tests.flows.chain import NOW
from tests.flows.conftest import connection_of

STORE = "s3://ouai_objects/ouai/incoming/enrollment"
NAME = ENROLLMENT.name
PARTS = 5
ANOTHER_NAME = NAME.replace("0042", "0043")


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_upload, "PART_BYTES", PART_BYTES)


@pytest.fixture(scope="module")
def data() -> bytes:
    """Good rows that make five parts."""
    header, first, *_ = ENROLLMENT.read_bytes().splitlines(keepends=True)
    rest = first.partition(b",")[2]
    rows = 4 * PART_BYTES // len(first) + 1_000
    made = header + b"".join(b"%d,%b" % (15_000_000_000_000 + number, rest) for number in range(rows))
    assert 4 * PART_BYTES < len(made) < 5 * PART_BYTES
    return made


@pytest.fixture
def gate(box: Sandbox) -> Iterator[Gate]:
    """Before OUAI's object storage."""
    abort_all(box)
    with gates.before(connection_of(box, "ouai_objects")) as gate:
        yield gate


@pytest.fixture
def gated(desk: Desk, box: Sandbox, gate: Gate) -> Desk:
    def get(conn_id: str) -> Any:
        return gate.connection if conn_id == "ouai_objects" else connection_of(box, conn_id)

    return replace(desk, outside=ConnectionsOutside(get, inbox=desk.staging.inbox))


def left_open(box: Sandbox) -> list[dict[str, Any]]:
    return list(box.objects.client().list_multipart_uploads(Bucket="ouai").get("Uploads", ()))


def abort_all(box: Sandbox) -> None:
    for each in left_open(box):
        box.objects.client().abort_multipart_upload(Bucket="ouai", Key=each["Key"], UploadId=each["UploadId"])


def held(box: Sandbox) -> list[int]:
    (left,) = left_open(box)
    parts = box.objects.client().list_parts(Bucket="ouai", Key=left["Key"], UploadId=left["UploadId"])
    return [part["PartNumber"] for part in parts.get("Parts", ())]


def notes(desk: Desk) -> list[tuple[str, str]]:
    with desk.ledger.read() as tx:
        return [(row.store, row.name) for row in tx.execute(select(uploads))]


def leases_run_out(desk: Desk) -> None:
    with desk.ledger.write() as tx:
        tx.execute(update(leases).values(expires_at=0.0))


def relay_until_killed(box: Sandbox, folder: Path, parts: int) -> None:
    arguments = [str(folder), str(PART_BYTES), str(parts), ENROLLMENT_FLOW, NAME]
    environment = {**os.environ, **box.env()}
    ended = subprocess.run(
        [sys.executable, "-m", "tests.faults.killed_upload", *arguments], env=environment, check=False
    )
    assert ended.returncode == -9


@pytest.mark.parametrize("parts", [1, 4])
def test_after_a_relay_killed_in_its_upload_only_the_parts_that_are_missing_go(
    gated: Desk, gate: Gate, box: Sandbox, tmp_path: Path, data: bytes, parts: int
) -> None:
    box.drop(ENROLLMENTS, NAME, data)
    relay_until_killed(box, tmp_path, parts)
    there = held(box)
    assert len(there) >= parts
    assert notes(gated) == [(STORE, NAME)]
    assert box.files(STORE) == {}
    leases_run_out(gated)
    (result,) = relay(gated, ENROLLMENT_FLOW, NAME, NOW)
    assert result.state == "sent"
    assert set(gate.parts) <= {1, 2, 3, 4, 5} - set(there)
    assert box.files(STORE) == {NAME: data}
    assert (left_open(box), notes(gated)) == ([], [])
    print(f"killed after {parts} of {PARTS} parts: {len(there)} were there, {len(gate.parts)} were sent again")


def test_after_a_line_that_broke_the_next_run_sends_the_rest(
    gated: Desk, gate: Gate, box: Sandbox, data: bytes
) -> None:
    box.drop(ENROLLMENTS, NAME, data)
    gate.rule = cut_after(2)
    with pytest.raises(Unreachable):
        relay(gated, ENROLLMENT_FLOW, NAME, NOW)
    assert (held(box), notes(gated)) == ([1, 2], [(STORE, NAME)])
    gate.rule = gates.open_to_all
    gate.parts.clear()
    assert states(gated, ENROLLMENT_FLOW) == {NAME: "settled"}
    assert sorted(gate.parts) == [3, 4, 5]
    assert (left_open(box), notes(gated)) == ([], [])


def refused(box: Sandbox, desk: Desk, data: bytes) -> str:
    """More bad rows than the threshold allows."""
    box.drop(ENROLLMENTS, NAME, data + b"x,y\n" * 20_000)
    return "refused"


def duplicate(box: Sandbox, desk: Desk, data: bytes) -> str:
    """The same bytes were delivered under another name."""
    box.drop(ENROLLMENTS, ANOTHER_NAME, data)
    relay(desk, ENROLLMENT_FLOW, ANOTHER_NAME, NOW)
    box.drop(ENROLLMENTS, NAME, data)
    return "known"


def conflict(box: Sandbox, desk: Desk, data: bytes) -> str:
    """Somebody else's file lies under the name."""
    box.drop(STORE, NAME, b"theirs")
    box.drop(ENROLLMENTS, NAME, data)
    return "refused"


@pytest.mark.parametrize("case", [refused, duplicate, conflict])
def test_a_file_that_does_not_travel_leaves_no_parts_and_no_note(
    gated: Desk, box: Sandbox, gate: Gate, data: bytes, case: Callable[[Sandbox, Desk, bytes], str]
) -> None:
    state = case(box, gated, data)
    gate.parts.clear()
    (result,) = relay(gated, ENROLLMENT_FLOW, NAME, NOW)
    assert result.state == state
    assert gate.parts, "it was on its way"
    assert (left_open(box), notes(gated)) == ([], [])


def test_a_fenced_worker_takes_back_nothing_of_what_its_successor_goes_on_with(
    gated: Desk, box: Sandbox, data: bytes
) -> None:
    """It has read a file that it would refuse; meanwhile another worker took the lane, and the file was corrected."""
    refused(box, gated, data)

    def taken_over() -> None:
        with gated.ledger.write() as tx:
            tx.execute(update(leases).values(holder="another", epoch=leases.c.epoch + 1))

    late = replace(gated, outside=AtTheEnd(gated, taken_over))
    with pytest.raises(Fenced):
        relay(late, ENROLLMENT_FLOW, NAME, NOW)
    assert notes(gated) == [(STORE, NAME)]
    assert held(box) == [1, 2, 3, 4]


@dataclass(frozen=True)
class AtTheEnd:
    """The outside, where something happens when a file of the source was read to its end."""

    desk: Desk
    happens: Callable[[], None]

    def store(self, url: str) -> FileStore:
        store = self.desk.outside.store(url)
        if url == ENROLLMENTS:
            real = store.open

            @contextmanager
            def opened(name: str, spans: Spans | None = None) -> Iterator[Iterator[bytes]]:
                with real(name, spans) as chunks:
                    yield self._followed(chunks)

            store.open = opened  # type: ignore[method-assign]
        return store

    def _followed(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        yield from chunks
        self.happens()

    def target(self, conn_id: str) -> RestTarget:
        return self.desk.outside.target(conn_id)
