"""Uploads in parts that do not end well: the next try sends only what is missing, and no part of it is trusted."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Mapping
from hashlib import sha256, shake_128
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from drbridge.adapters import s3_upload
from drbridge.adapters.s3 import S3Store
from drbridge.adapters.s3_parts import held_parts, left_open
from drbridge.errors import DrBridgeError, Unreachable
from drbridge.exchange.uploads import Noted
from drbridge.ledger import uploads
from drbridge.ledger.database import Ledger
from drbridge.ports import AlreadyThere, Upload, UploadNote
from tests.faults import gate as gates
from tests.faults.gate import Gate, Refusal, Rule, part_of
from tests.ledgers import ledger_in
from tests.stores.places import BUCKET
from tests.stores.test_exam import HOSTILE

PART_BYTES = 5 << 20
"""The smallest that a store takes."""
DATA = shake_128(b"uploads").digest(4 * PART_BYTES + 1_000)
ALL_PARTS = [1, 2, 3, 4, 5]
NAME = "a.csv"
CUT = Refusal(0)


def cut_after(part: int) -> Rule:
    """A line that breaks at every part after that one."""
    return lambda method, path, _: CUT if part_of(method, path) > part else None


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_upload, "PART_BYTES", PART_BYTES)


def test_a_put_that_breaks_off_before_its_body_leaves_no_object(store: S3Store) -> None:
    """What a store makes of a head alone is a race in some of them: hence several."""
    data, names = b"a,b\n1,2\n", [f"{number}.csv" for number in range(20)]

    def only_its_head(request: Any, **_: Any) -> None:
        where, headers = urlsplit(request.url), {"Content-Length": str(len(data)), **request.headers}
        told = {name: text if isinstance(text, str) else text.decode() for name, text in headers.items()}
        head = [f"PUT {where.path} HTTP/1.1", f"Host: {where.netloc}", *(f"{each}: {told[each]}" for each in told)]
        with socket.create_connection((where.hostname, where.port)) as line:
            line.sendall("\r\n".join([*head, "", ""]).encode())
        raise ConnectionError("the process died here")

    events = store.client.meta.events
    events.register("before-send.s3.PutObject", only_its_head)
    try:
        for name in names:
            with store.upload(name) as upload:
                upload.write(data)
                with pytest.raises(DrBridgeError):
                    upload.complete(sha256(data).hexdigest())
    finally:
        events.unregister("before-send.s3.PutObject", only_its_head)
    time.sleep(0.5)  # the store may still be about to make something of it
    assert [name for name in names if store.stat(name)] == []


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = ledger_in(tmp_path)
    yield made
    made.close()


@pytest.fixture
def note(ledger: Ledger) -> UploadNote:
    return Noted(ledger, "s3://objects", NAME)


@pytest.fixture
def lost(store: S3Store, gate: Gate, note: UploadNote) -> list[int]:
    """An upload whose line broke after three of five parts; gives the parts that the store holds of it."""
    gate.rule = cut_after(3)
    with pytest.raises(Unreachable):
        put(store, DATA, note)
    gate.rule = gates.open_to_all
    gate.parts.clear()
    return held(store)


def put(store: S3Store, data: bytes, note: UploadNote | None) -> None:
    with store.upload(NAME, len(data), note) as upload:
        write(upload, data)
        upload.complete(sha256(data).hexdigest())


def write(upload: Upload, data: bytes) -> None:
    for start in range(0, len(data), 1 << 20):
        upload.write(data[start : start + (1 << 20)])


def held(store: S3Store) -> list[int]:
    found = held_parts(store.client, BUCKET, store.key(NAME))
    return sorted(number for number, _, _ in found[1]) if found else []


def stored(store: S3Store) -> bytes:
    return bytes(store.client.get_object(Bucket=BUCKET, Key=store.key(NAME))["Body"].read())


def is_noted(ledger: Ledger) -> bool:
    with ledger.read() as tx:
        return uploads.begun_before(tx, 9e9) == {"s3://objects": [NAME]}


def test_after_a_line_that_broke_only_the_missing_parts_go(
    store: S3Store, gate: Gate, note: UploadNote, ledger: Ledger, lost: list[int]
) -> None:
    assert lost == [1, 2, 3]
    assert is_noted(ledger)
    put(store, DATA, note)
    assert sorted(gate.parts) == [4, 5]
    assert stored(store) == DATA
    assert held(store) == []
    assert not is_noted(ledger)


def test_parts_that_hold_other_bytes_go_again(store: S3Store, gate: Gate, note: UploadNote, lost: list[int]) -> None:
    corrected = DATA[:PART_BYTES] + b"x" + DATA[PART_BYTES + 1 :]
    put(store, corrected, note)
    assert sorted(gate.parts) == [2, 4, 5]
    assert stored(store) == corrected


def test_an_upload_nobody_noted_leaves_nothing_when_its_line_breaks(store: S3Store, gate: Gate) -> None:
    gate.rule = cut_after(3)
    with pytest.raises(Unreachable):
        put(store, DATA, None)
    assert left_open(store.client, BUCKET, store.key(NAME)) == []


def test_an_upload_of_somebody_else_under_the_same_key_is_left_alone(
    store: S3Store, gate: Gate, note: UploadNote
) -> None:
    theirs = {"Bucket": BUCKET, "Key": store.key(NAME)}
    upload_id = store.client.create_multipart_upload(**theirs)["UploadId"]
    store.client.upload_part(**theirs, UploadId=upload_id, PartNumber=1, Body=DATA[:PART_BYTES])
    gate.parts.clear()
    put(store, DATA, note)
    assert sorted(gate.parts) == ALL_PARTS
    assert [left.upload_id for left in left_open(store.client, BUCKET, store.key(NAME))] == [upload_id]


def test_a_late_twin_that_still_puts_parts_cannot_spoil_the_file(
    store: S3Store, note: UploadNote, lost: list[int]
) -> None:
    (left,) = left_open(store.client, BUCKET, store.key(NAME))
    twin = {"Bucket": BUCKET, "Key": store.key(NAME), "UploadId": left.upload_id}
    with store.upload(NAME, len(DATA), note) as upload:
        write(upload, DATA)
        for number in (2, 5, 9):
            store.client.upload_part(**twin, PartNumber=number, Body=bytes(PART_BYTES))
        upload.complete(sha256(DATA).hexdigest())
    assert stored(store) == DATA


def test_a_late_twin_that_completes_the_upload_leaves_one_whole_file(
    store: S3Store, note: UploadNote, lost: list[int]
) -> None:
    """Whoever comes second learns that the upload is gone, and finds the file the next time."""
    with store.upload(NAME, len(DATA), note) as first:
        write(first, DATA)
        with store.upload(NAME, len(DATA), note) as second:
            write(second, DATA)
            second.complete(sha256(DATA).hexdigest())
        with pytest.raises(Unreachable, match="NoSuchUpload"):
            first.complete(sha256(DATA).hexdigest())
    with pytest.raises(AlreadyThere):
        put(store, DATA, note)
    assert left_open(store.client, BUCKET, store.key(NAME)) == []
    assert stored(store) == DATA


@pytest.mark.parametrize("refusal", [Refusal(400, "InvalidPart"), Refusal(404, "NoSuchUpload")])
def test_parts_that_make_no_whole_are_given_up_and_all_go_again(
    store: S3Store, gate: Gate, note: UploadNote, lost: list[int], refusal: Refusal
) -> None:
    gate.rule = lambda method, path, _: refusal if method == "POST" and "uploadId=" in path else None
    with pytest.raises(Unreachable):
        put(store, DATA, note)
    assert held(store) == []
    gate.rule = gates.open_to_all
    gate.parts.clear()
    put(store, DATA, note)
    assert sorted(gate.parts) == ALL_PARTS
    assert stored(store) == DATA


def test_a_store_that_does_not_let_us_look_gets_all_parts_again(
    store: S3Store, gate: Gate, note: UploadNote, lost: list[int]
) -> None:
    def forbid_looks(method: str, path: str, _: Mapping[str, str]) -> Refusal | None:
        return Refusal(403, "AccessDenied") if method == "GET" and "uploads" in path else None

    gate.rule = forbid_looks
    put(store, DATA, note)
    assert sorted(gate.parts) == ALL_PARTS
    assert stored(store) == DATA


def test_a_note_that_cannot_be_written_keeps_the_upload_from_beginning(store: S3Store, gate: Gate) -> None:
    class Unwritten:
        def begin(self) -> bool:
            raise Unreachable("The ledger's database does not answer")

        def end(self) -> None: ...

    with pytest.raises(Unreachable, match="ledger"):
        put(store, DATA, Unwritten())
    assert gate.parts == []
    assert left_open(store.client, BUCKET, store.key(NAME)) == []


@pytest.mark.parametrize("name", [name for name in HOSTILE if "\x01" not in name])
def test_a_lost_upload_is_found_by_every_name_that_xml_can_carry(store: S3Store, name: str) -> None:
    key = store.key(name)
    upload_id = store.client.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]
    store.client.create_multipart_upload(Bucket=BUCKET, Key=store.key("x" + name[1:]))
    assert [left.upload_id for left in left_open(store.client, BUCKET, key)] == [upload_id]
