"""Requests meant to harm: they are refused or cut off, and the server's memory stays flat."""

from __future__ import annotations

import re
import socket
import time
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from drbridge.ledger.tables import messages
from tests.inbox.serving import DERMS, OUTCOME, STATUS, Inbox, Process, status
from tests.inbox.test_refusals import GOOD, problem

SIGNED_IN = b"Authorization: Basic " + b64encode(":".join(DERMS).encode()) + b"\r\n"
MOST_GROWTH = 64 << 20
GIGABYTE = 1 << 30


def request(*headers: bytes, path: str = STATUS, body: bytes = b"", kind: bytes = b"application/json") -> bytes:
    lines = (b"POST " + path.encode() + b" HTTP/1.1", b"Host: x", b"Content-Type: " + kind, *headers)
    return b"\r\n".join(lines) + b"\r\n" + SIGNED_IN + b"\r\n" + body


def length(body: bytes) -> bytes:
    return b"Content-Length: %d" % len(body)


def statuses(got: bytes) -> list[int]:
    return [int(found) for found in re.findall(rb"HTTP/1\.1 ([0-9]{3})", got)]


@pytest.mark.parametrize(
    ("path", "kind"), [(STATUS, b"application/json"), (OUTCOME, b"multipart/form-data; boundary=b")]
)
def test_a_body_that_drips_is_cut_off(door: Inbox, path: str, kind: bytes) -> None:
    drops = [bytes([byte]) for byte in (b"--b\r\n" + GOOD)[:60]]
    started = time.monotonic()
    got = door.raw(request(b"Content-Length: 100000", path=path, kind=kind), *drops[:8], pause=0.2)
    assert statuses(got) == [408]
    assert b"connection: close" in got
    assert time.monotonic() - started < 6
    assert door.client.get("/drbridge/health").status_code == 200


def test_a_body_that_stops_is_cut_off(door: Inbox) -> None:
    assert statuses(door.raw(request(b"Content-Length: 100000", body=GOOD[:20]))) == [408]


def test_a_caller_that_hangs_up_in_the_middle_stores_nothing(door: Inbox) -> None:
    before = door.count(messages)
    host, port = door.url.removeprefix("http://").split(":")
    for _ in range(20):
        with socket.create_connection((host, int(port))) as line:
            line.sendall(request(b"Content-Length: 100000", body=GOOD))
    time.sleep(0.3)
    assert door.count(messages) == before
    assert door.client.get("/drbridge/health").status_code == 200


def test_several_requests_in_one_go_are_answered_in_order(door: Inbox) -> None:
    bodies = [GOOD.replace(b"ST-1", b"PIPE-%d" % number) for number in range(3)]
    got = door.raw(b"".join(request(length(body), body=body) for body in [*bodies, b"{"]))
    assert statuses(got) == [202, 202, 202, 400]


def test_a_body_in_chunks_without_length_is_taken(door: Inbox) -> None:
    body = GOOD.replace(b"ST-1", b"CHUNKS")
    chunks = b"".join(b"1\r\n" + body[at : at + 1] + b"\r\n" for at in range(len(body))) + b"0\r\n\r\n"
    assert statuses(door.raw(request(b"Transfer-Encoding: chunked", body=chunks))) == [202]


def test_two_lengths_are_no_way_to_smuggle_a_message_in(door: Inbox) -> None:
    before = door.count(messages)
    hidden = request(length(GOOD), body=GOOD.replace(b"ST-1", b"HIDE"))
    for headers in ((b"Content-Length: 5", b"Transfer-Encoding: chunked"), (b"Content-Length: 5", b"Content-Length: 6"),
                    (b"Content-Length: -5",), (b"Transfer-Encoding: x",)):  # fmt: skip
        got = door.raw(request(*headers, body=b"0\r\n\r\n" + hidden))
        assert 202 not in statuses(got)[:1]
    assert door.count(messages) - before <= 1


@pytest.mark.parametrize("filename", [b"", b"; filename=EVENT_OUTCOME_1.csv"], ids=["fields", "files"])
def test_ten_thousand_parts_are_refused_at_the_second(door: Inbox, filename: bytes) -> None:
    part = b"--b\r\nContent-Disposition: form-data; name=x" + filename + b"\r\n\r\n1\r\n"
    body = part * 10_000 + b"--b--\r\n"
    answer = door.client.post(OUTCOME, content=body, headers={"Content-Type": "multipart/form-data; boundary=b"})
    problem(answer, 400)


def test_ten_thousand_headers_are_no_harm(door: Inbox) -> None:
    got = door.raw(request(*[b"X-%d: 1" % number for number in range(10_000)], length(GOOD), body=GOOD))
    assert statuses(got)[0] in (202, 400, 431)


def gigabyte(inbox: Inbox, path: str, kind: bytes, declared: bool, signed_in: bool = True) -> list[int]:
    """Streams a gigabyte until the server has had enough; what it answered."""
    host, port = inbox.url.removeprefix("http://").split(":")
    how = b"Content-Length: %d" % GIGABYTE if declared else b"Transfer-Encoding: chunked"
    head = request(how, path=path, kind=kind)
    if not signed_in:
        head = head.replace(SIGNED_IN, b"")
    with socket.create_connection((host, int(port)), timeout=30) as line:
        line.sendall(head)
        try:
            for piece in _pieces(declared, b"form" in kind):
                line.sendall(piece)
        except OSError:
            pass
        line.settimeout(5)
        try:
            return statuses(line.recv(65536))
        except OSError:
            return []


def _pieces(declared: bool, form: bool) -> Iterator[bytes]:
    first = b"--b\r\nContent-Disposition: form-data; name=file; filename=EVENT_OUTCOME_1.csv\r\n\r\n" if form else b" "
    block = b" " * (1 << 20)
    yield first if declared else b"%x\r\n%s\r\n" % (len(first), first)
    for _ in range(GIGABYTE >> 20):
        yield block if declared else b"%x\r\n%s\r\n" % (len(block), block)


def test_a_gigabyte_is_refused_or_cut_off_and_memory_stays_flat(tmp_path: Path) -> None:
    form, text = b"multipart/form-data; boundary=b", b"application/json"
    with (process := Process(tmp_path)) as inbox:
        assert inbox.post(STATUS, status()).status_code == 202
        assert inbox.post_file(OUTCOME, "EVENT_OUTCOME_1.csv", b"1").status_code == 202
        before = process.resident_bytes()
        for path, kind in ((STATUS, text), (OUTCOME, form)):
            for declared in (True, False):
                assert gigabyte(inbox, path, kind, declared) in ([413], [])
                gigabyte(inbox, path, kind, declared, signed_in=False)
        inbox.post(STATUS, b'"' + b"a" * ((4 << 20) - 10))
        inbox.post(STATUS, b"[" * (4 << 20))
        inbox.post(STATUS, b"[]," * (1 << 20))
        assert process.resident_bytes() - before < MOST_GROWTH
        assert inbox.post(STATUS, status("after")).status_code == 202
        assert set(inbox.posted_files()) == {"EVENT_OUTCOME_1.csv"}
