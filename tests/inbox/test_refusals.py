"""What the inbox does not take, and how it says so; nothing of it is stored."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from drbridge.errors import Unreachable
from drbridge.inbox import create
from drbridge.inbox.paths import PUBLISHED_PREFIX
from drbridge.ledger.tables import messages
from tests.inbox.serving import (
    DERMS,
    NARROW,
    OUTCOME,
    STATUS,
    Inbox,
    callers_in,
    desk_of,
    listening,
    served,
    signed_in,
    status,
    systems,
)

GOOD = json.dumps(status()).encode()


@pytest.fixture(autouse=True)
def _nothing_is_stored(door: Inbox) -> Iterator[None]:
    before = door.count(messages)
    yield
    assert door.count(messages) == before


def problem(answer: httpx.Response, status_code: int) -> dict[str, Any]:
    """The problem document of an answer that must be one."""
    assert (answer.status_code, answer.headers["content-type"]) == (status_code, "application/problem+json")
    told: dict[str, Any] = answer.json()
    assert told["status"] == status_code
    assert {"type", "title", "detail"} <= set(told)
    return told


def inside(text: bytes) -> bytes:
    """A good message with one more member, as it is written."""
    return GOOD[:-1] + b', "more": ' + text + b"}"


@pytest.mark.parametrize("body", [
    b"", b"nothing", b"{", GOOD[:-1], GOOD + GOOD, b"\xff\xfe" + GOOD.decode().encode("utf-16-le"),
    GOOD.decode().encode("utf-32"), inside(b"NaN"), inside(b"-Infinity"), inside(b"1e999"), inside(b'"\xff"'),
    inside(b'"\\ud800"'), inside(b'{"\\udfff": 1}'), inside(b"9" * 5_000), inside(b'{"a": 1, "a": 1}'),
    GOOD[:-1] + b', "messageId": "ST-2"}', inside(b"[" * 10_000 + b"]" * 10_000), b"[" * 10_000, b'{"a":' * 10_000,
    inside(b'"\x00"'), inside(b'"a\nb"'), b"\xef\xbb\xbf\xef\xbb\xbf" + GOOD,
], ids=["empty", "word", "open", "cut", "two", "utf-16", "utf-32", "NaN", "infinity", "huge number", "no utf-8",
        "half a character", "half a character in a name", "endless number", "member twice", "number twice", "deep",
        "deep and open", "deep objects", "raw NUL", "raw line end", "two BOMs"])  # fmt: skip
def test_what_is_no_json_is_400(door: Inbox, body: bytes) -> None:
    problem(door.post(STATUS, body), 400)


@pytest.mark.parametrize("body", [b"null", b"1", b'"text"', b"[]", b"[[1]]", b"true"])
def test_json_that_is_no_object_is_422(door: Inbox, body: bytes) -> None:
    assert problem(door.post(STATUS, body), 422)["errors"][0]["field"] == "message"


def test_a_nul_in_an_agreed_field_is_422_and_named(door: Inbox) -> None:
    errors = problem(door.post(STATUS, status("a\0b")), 422)["errors"]
    assert [(each["field"], each["code"]) for each in errors] == [("messageId", "not_text")]


def test_brackets_in_texts_are_no_levels(door: Inbox) -> None:
    assert problem(door.post(STATUS, {"more": "[{" * 50_000 + '"\\' * 99}), 422)["errors"]


def test_nobody_is_401_whatever_comes(door: Inbox) -> None:
    for path in (STATUS, f"{PUBLISHED_PREFIX}/OUTL-BA-DRMS_DACS_STAGE_STATUS/1.0/stageStatusChange", OUTCOME):
        answer = httpx.post(f"{door.url}{path}", content=GOOD, headers={"Content-Type": "application/json"})
        problem(answer, 401)
        assert answer.headers["www-authenticate"].startswith("Basic ")
    problem(httpx.get(f"{door.url}/drbridge/messages/{'0' * 20}"), 401)


@pytest.mark.parametrize("header", [
    "Basic", "Basic !!!", "Basic bm9jb2xvbg==", "Basic " + "A" * 5_000, "Bearer x", "Negotiate abc", "x",
    "Basic Og==", "Basic w4RyZ2Vy",
])  # fmt: skip
def test_an_authorization_that_is_none_is_401(door: Inbox, header: str) -> None:
    problem(httpx.post(f"{door.url}{STATUS}", content=GOOD, headers={"Authorization": header}), 401)


def test_a_wrong_password_is_401(door: Inbox) -> None:
    for name, password in (("derms", "wrong"), ("nobody", "a password"), ("derms", ""), ("derms", NARROW[1])):
        problem(httpx.post(f"{door.url}{STATUS}", content=GOOD, auth=(name, password)), 401)


def test_work_for_a_flow_one_has_no_right_to_is_403(door: Inbox) -> None:
    with signed_in(door.url, NARROW) as narrow:
        told = problem(narrow.post(STATUS, content=GOOD, headers={"Content-Type": "application/json"}), 403)
        assert "derms_dacs_event_status" in told["detail"]
        problem(narrow.post(OUTCOME, files={"file": ("EVENT_OUTCOME_1.csv", b"1")}), 403)


def test_paths_that_are_none_are_404(door: Inbox) -> None:
    paths = [
        "/drbridge", "/drbridge/", "/drbridge/nothing", "/drbridge//event-statuses", f"{STATUS}/", f"{STATUS}/1",
        f"{PUBLISHED_PREFIX}/event-statuses", "/drbridge/messages/", "/drbridge/messages/a/b",
    ]  # fmt: skip
    for path in paths:
        problem(door.post(path, GOOD), 404)


def test_a_number_that_is_none_is_404(door: Inbox) -> None:
    for number in ("0" * 20, "-", "%00", "%ff", "%0a", "'", "x" * 5_000):
        problem(door.client.get(f"/drbridge/messages/{number}"), 404)


def test_a_message_that_no_flow_takes_in_this_release_is_404(door: Inbox, tmp_path: Path) -> None:
    none = systems().model_copy(update={"flows": {}})
    with served(desk_of(door.ledger, tmp_path, none), tmp_path) as empty:
        assert "in this release" in problem(empty.post(STATUS, GOOD), 404)["detail"]
        problem(empty.post_file(OUTCOME, "EVENT_OUTCOME_1.csv", b"1"), 404)


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_another_method_is_405(door: Inbox, method: str) -> None:
    answer = door.client.request(method, STATUS)
    problem(answer, 405)
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/xml", "multipart/form-data", "json"])
def test_another_content_type_is_415(door: Inbox, content_type: str) -> None:
    answer = door.post(STATUS, GOOD, **{"Content-Type": content_type})
    problem(answer, 415)
    assert answer.headers["accept"] == "application/json"
    problem(door.post(OUTCOME, GOOD), 415)


def test_a_charset_behind_the_content_type_is_no_matter(door: Inbox) -> None:
    problem(door.post(STATUS, b"{}", **{"Content-Type": "application/JSON; charset=UTF-8"}), 422)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "x"])
def test_packed_bodies_are_415(door: Inbox, coding: str) -> None:
    answer = door.post(STATUS, gzip.compress(GOOD), **{"Content-Encoding": coding})
    problem(answer, 415)
    assert answer.headers["accept-encoding"] == "identity"


def test_a_message_of_one_byte_too_much_is_413(door: Inbox) -> None:
    full = GOOD + b" " * ((4 << 20) - len(GOOD))
    problem(door.post(STATUS, b"[]" + full[2:].replace(b"{", b" ")[: (4 << 20) - 2]), 400)
    problem(door.post(STATUS, full + b" "), 413)

    def without_length() -> Iterator[bytes]:
        yield full
        yield b" "

    answer = door.client.post(STATUS, content=without_length(), headers={"Content-Type": "application/json"})
    problem(answer, 413)


def test_a_ledger_that_cannot_be_opened_is_503_and_says_when_to_come_back(door: Inbox, tmp_path: Path) -> None:
    def away() -> Any:
        raise Unreachable("The ledger's database does not answer", detail="host=secret-host password=secret")

    with listening(create(away, callers_in(tmp_path))) as url, signed_in(url, DERMS) as client:
        for answer in (
            client.post("/event-statuses", json=status()), client.get("/health"), client.get("/messages/1"),
            client.post("/event-outcomes", files={"file": ("EVENT_OUTCOME_1.csv", b"1")}),
        ):  # fmt: skip
            problem(answer, 503)
            assert answer.headers["retry-after"] == "30"
            assert "secret" not in answer.text


def test_a_fault_of_ours_shows_nothing_of_it(door: Inbox, tmp_path: Path) -> None:
    def broken() -> Any:
        raise ZeroDivisionError("secret")

    with listening(create(broken, callers_in(tmp_path))) as url, signed_in(url, DERMS) as client:
        assert "secret" not in problem_text(client.post("/event-statuses", json=status()))


def problem_text(answer: httpx.Response) -> str:
    problem(answer, 500)
    return answer.text
