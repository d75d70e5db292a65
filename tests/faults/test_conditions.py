"""Conditional writes: found out by trying, used where the store honours them, done without where it does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy import select

from drbridge.adapters import s3_upload
from drbridge.adapters.looking import look_at, used
from drbridge.adapters.outside import ConnectionsOutside
from drbridge.adapters.s3 import S3Store
from drbridge.errors import Unreachable
from drbridge.exchange.desk import Desk
from drbridge.exchange.relay import relay
from drbridge.ledger.tables import parcels
from drbridge.ports import AlreadyThere
from drbridge_sandbox.sandbox import Sandbox
from tests.faults import gate as gates
from tests.faults.gate import Gate, Refusal
from tests.faults.test_uploads import DATA, PART_BYTES
from tests.flows.cases import ENROLLMENT, ENROLLMENT_FLOW, ENROLLMENTS
from tests.flows.chain import NOW
from tests.flows.conftest import connection_of, desk_of
from tests.flows.test_relays import STORE, parcel_states
from tests.stores.places import BUCKET

NAME = "a.csv"
REFUSALS = [
    Refusal(501, "NotImplemented"), Refusal(501), Refusal(400, "NotImplemented"), Refusal(400, "InvalidArgument"),
    Refusal(400, "InvalidRequest"),
]  # fmt: skip


def is_conditional(method: str, headers: Mapping[str, str]) -> bool:
    return method in ("PUT", "POST") and any(name.lower() in ("if-match", "if-none-match") for name in headers)


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_upload, "PART_BYTES", PART_BYTES)


@pytest.fixture(params=REFUSALS, ids=lambda refusal: f"{refusal.status}-{refusal.code or 'nothing'}")
def refusal(request: pytest.FixtureRequest, gate: Gate) -> Refusal:
    """How the store, before the test begins, refuses every write with a condition."""
    refused: Refusal = request.param
    gate.rule = lambda method, _, headers: refused if is_conditional(method, headers) else None
    return refused


def put(store: S3Store, data: bytes, replaces: str | None = None) -> str:
    with store.upload(NAME, len(data)) as upload:
        upload.write(data)
        return upload.complete(sha256(data).hexdigest(), replaces).version


def stored(store: S3Store) -> bytes:
    return bytes(store.client.get_object(Bucket=BUCKET, Key=store.key(NAME))["Body"].read())


@pytest.mark.parametrize("data", [b"short", DATA], ids=["one part", "five parts"])
def test_a_store_that_refuses_conditions_gets_the_file_without(store: S3Store, refusal: Refusal, data: bytes) -> None:
    first = put(store, data)
    assert stored(store) == data
    put(store, data + b"corrected", first)
    assert stored(store) == data + b"corrected"


def test_where_conditions_are_refused_a_look_keeps_us_from_overwriting(store: S3Store, refusal: Refusal) -> None:
    put(store, b"first")
    with pytest.raises(AlreadyThere):
        put(store, b"second")
    with pytest.raises(AlreadyThere):
        put(store, b"second", "another version")
    assert stored(store) == b"first"


def test_where_conditions_are_refused_a_rename_overwrites_nothing(store: S3Store, refusal: Refusal) -> None:
    put(store, b"first")
    store.rename(NAME, "Sent-a.csv")
    put(store, b"second")
    with pytest.raises(AlreadyThere):
        store.rename(NAME, "Sent-a.csv")
    assert {entry.name for entry in store.list()} == {NAME, "Sent-a.csv"}


def test_the_probe_finds_out_who_refuses_conditions(store: S3Store, refusal: Refusal) -> None:
    assert not store.honours_conditions()
    assert store.clear(9e9, []) == 0, "the probe leaves nothing"


def test_the_probe_finds_out_who_honours_conditions(store: S3Store) -> None:
    assert store.honours_conditions()
    assert store.clear(9e9, []) == 0, "the probe leaves nothing"


def test_trouble_while_probing_is_not_taken_for_an_answer(store: S3Store, gate: Gate) -> None:
    gate.rule = lambda method, _, headers: Refusal(500, "InternalError") if is_conditional(method, headers) else None
    with pytest.raises(Unreachable):
        store.honours_conditions()


def test_a_refusal_for_another_reason_is_told(store: S3Store, gate: Gate) -> None:
    gate.rule = lambda method, _, headers: Refusal(400, "BadDigest") if is_conditional(method, headers) else None
    with pytest.raises(Unreachable, match="BadDigest"):
        put(store, b"first")
    assert store.list() == []


def test_drbridge_connections_says_who_knows_no_conditions(gate: Gate, refusal: Refusal) -> None:
    def remark() -> str:
        (seen,) = look_at(gate.connection, [f"s3://objects/{BUCKET}/exam-looked-at"], used)
        assert seen.good, seen
        return seen.text

    assert "knows no conditional writes" in remark()
    gate.rule = gates.open_to_all
    assert remark().endswith("can be written to")


@pytest.mark.parametrize("is_large", [False, True], ids=["one part", "several parts"])
def test_of_two_workers_without_a_common_lease_one_wins_and_the_other_compares(
    desk: Desk, box: Sandbox, tmp_path: Path, is_large: bool
) -> None:
    """Two installations of ours with ledgers of their own: only the store can tell them apart."""
    header, first, *_ = ENROLLMENT.read_bytes().splitlines(keepends=True)
    rest, rows = first.partition(b",")[2], PART_BYTES // len(first) + 1_000 if is_large else 3
    data = header + b"".join(b"%d,%b" % (15_000_000_000_000 + number, rest) for number in range(rows))
    box.drop(ENROLLMENTS, ENROLLMENT.name, data)
    (tmp_path / "other").mkdir()
    other, came = desk_of(box, desk.systems, tmp_path / "other"), list[str]()

    def held_up(method: str, _path: str, headers: Mapping[str, str]) -> Refusal | None:
        """The other one publishes right before the store sees what we write."""
        if is_conditional(method, headers) and not came:
            came.extend(result.state for result in relay(other, ENROLLMENT_FLOW, ENROLLMENT.name, NOW))
        return None

    with gates.before(connection_of(box, "ouai_objects")) as gate:
        gate.rule = held_up
        outside = ConnectionsOutside(
            lambda conn_id: gate.connection if conn_id == "ouai_objects" else connection_of(box, conn_id)
        )
        (ours,) = relay(replace(desk, outside=outside), ENROLLMENT_FLOW, ENROLLMENT.name, NOW)
    assert (came, ours.state) == (["sent"], "sent")
    assert (codes(other), codes(desk)) == (["stored"], ["already_there"])
    assert parcel_states(desk) == parcel_states(other) == ["ACKED"]
    assert box.files(STORE) == {ENROLLMENT.name: data}
    other.ledger.close()


def codes(desk: Desk) -> list[str]:
    with desk.ledger.read() as tx:
        return list(tx.execute(select(parcels.c.code)).scalars())
