"""Posted files: whole, safe and once; the file first, its message then."""

from __future__ import annotations

import resource
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from drbridge.exchange.take import take
from drbridge.inbox.paths import PUBLISHED_PREFIX
from drbridge.ledger.database import Ledger
from drbridge.ledger.tables import messages
from tests.inbox.serving import OUTCOME, OUTCOME_FILE, Inbox, desk_of, served
from tests.inbox.test_refusals import problem
from tests.unit.contracts.messages import SAMPLES, sample

RESERVE = "/drbridge/device-reservations"
NAME, CONTENT = OUTCOME_FILE.name, OUTCOME_FILE.read_bytes()
DEVICES = (SAMPLES.parent / "device_reservation" / "good.csv").read_bytes()


def reservation(content: bytes = DEVICES, **changes: Any) -> Any:
    message = sample("device_reservation_message")
    return {**message, "file": {**message["file"], "sha256": sha256(content).hexdigest()}, **changes}


@pytest.mark.parametrize("path", [OUTCOME, f"{PUBLISHED_PREFIX}/OUTL-BA-DRMS_DACS_EVT_OUTC_TRNFR/1.0/eventOutcome"])
def test_a_file_is_laid_down_and_answered(inbox: Inbox, path: str) -> None:
    answer = inbox.post_file(path, NAME, CONTENT)
    assert answer.status_code == 202
    assert inbox.posted_files() == {NAME: CONTENT}
    assert inbox.client.get(answer.headers["location"]).json()["noun"] == "event_outcome"


def test_a_file_twice_is_one_file_and_one_message(inbox: Inbox) -> None:
    first, again = inbox.post_file(OUTCOME, NAME, CONTENT), inbox.post_file(OUTCOME, NAME, CONTENT)
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    assert (len(inbox.posted_files()), inbox.count(messages)) == (1, 1)


def test_another_content_under_a_posted_name_is_422(inbox: Inbox) -> None:
    assert inbox.post_file(OUTCOME, NAME, CONTENT).status_code == 202
    assert problem(inbox.post_file(OUTCOME, NAME, CONTENT + b"\n"), 422)["errors"][0]["code"] == "number_taken"
    assert inbox.posted_files() == {NAME: CONTENT}


def test_of_several_contents_at_once_one_is_taken_and_it_is_the_one_that_lies_there(inbox: Inbox) -> None:
    contents = [CONTENT + b"\n" * number for number in range(6)]
    with ThreadPoolExecutor(6) as callers:
        answers = list(callers.map(lambda content: inbox.post_file(OUTCOME, NAME, content), contents))
    (taken,) = [content for content, answer in zip(contents, answers, strict=True) if answer.status_code == 202]
    assert sorted(answer.status_code for answer in answers) == [202] + [422] * 5
    assert inbox.posted_files() == {NAME: taken}


@pytest.mark.parametrize("name", [
    "EVENT_OUTCOME.csv/../x", "../EVENT_OUTCOME_1.csv", "EVENT_OUTCOME 1.csv", ".EVENT_OUTCOME_1.csv",
    "EVENT_OUTCOME_ü.csv", "EVENT_OUTCOME_" + "1" * 200, "SDCSE_0042_00.csv", "Sent-EVENT_OUTCOME_1.csv",
    "EVENT_OUTCOME_1.csv.done", "EVENT_OUTCOME_1.csv.rejects.csv", "EVENT_OUTCOME_1.csv\n", "EVENT_OUTCOME_$(x).csv",
])  # fmt: skip
def test_a_name_that_its_flow_would_not_take_is_422(door: Inbox, name: str) -> None:
    assert problem(door.post_file(OUTCOME, name, CONTENT), 422)["errors"][0]["field"] == "file"
    assert door.posted_files() == {}


def test_a_reservation_is_its_message_and_its_file(inbox: Inbox, ledger: Ledger, tmp_path: Path) -> None:
    answer = inbox.post_file(RESERVE, "any name.csv", DEVICES, reservation())
    assert answer.status_code == 202
    ((name, content),) = inbox.posted_files().items()
    assert (name, content) == (f"RESERVE_{answer.json()['messageNumber']}.csv", DEVICES)
    assert inbox.post_file(RESERVE, "other name.csv", DEVICES, reservation()).json() == answer.json()

    where = answer.headers["location"]
    assert inbox.client.get(where).json()["state"] == "stored"
    assert take(desk_of(ledger, tmp_path), "derms_dacs_device_reservation", name).state == "taken"
    assert inbox.client.get(where).json()["state"] == "under way"
    inbox.settle()
    waited = inbox.post_file(RESERVE, "a.csv", DEVICES, reservation(), Prefer="wait=30")
    assert (waited.status_code, waited.json()["state"]) == (200, "settled")


def test_the_same_devices_under_another_number_are_told_of_too(inbox: Inbox, ledger: Ledger, tmp_path: Path) -> None:
    """Equal content is one file to the flow, whichever message brought it."""
    flow, desk = "derms_dacs_device_reservation", desk_of(ledger, tmp_path)
    answers = [inbox.post_file(RESERVE, "a.csv", DEVICES, reservation(messageId=number)) for number in ("1", "2")]
    for name in sorted(inbox.posted_files()):
        take(desk, flow, name)
    inbox.settle()
    states = [inbox.client.get(answer.headers["location"]).json()["state"] for answer in answers]
    assert states == ["settled", "settled"]


@pytest.mark.parametrize(("message", "field"), [
    (reservation(b"other"), "message.file.sha256"), (reservation(eventId=""), "message.eventId"),
    ([1], "message"), (None, "message"), (reservation(file=None), "message.file"),
])  # fmt: skip
def test_a_reservation_that_is_not_as_agreed_is_422(door: Inbox, message: Any, field: str) -> None:
    errors = problem(door.post_file(RESERVE, "a.csv", DEVICES, message), 422)["errors"]
    assert field in [each["field"] for each in errors]
    assert door.posted_files() == {}


def test_parts_that_are_missing_or_too_many_are_refused(door: Inbox) -> None:
    post = door.client.post
    assert problem(post(OUTCOME, files={"other": ("EVENT_OUTCOME_1.csv", b"1")}), 422)["errors"][0]["field"] == "file"
    problem(post(OUTCOME, files={"file": (None, "no file")}), 400)
    problem(post(RESERVE, files={"message": ("m.json", b"{}")}), 422)
    problem(
        post(OUTCOME, files=[("file", ("EVENT_OUTCOME_1.csv", b"1")), ("file", ("EVENT_OUTCOME_2.csv", b"2"))]), 400
    )
    problem(post(RESERVE, data={"message": "{", "more": "1"}, files={"file": ("a", b"")}), 400)
    problem(post(RESERVE, data={"message": "no json"}, files={"file": ("a", b"")}), 400)
    problem(door.post_file(RESERVE, "a.csv", DEVICES, "x" * (4 << 20)), 413)
    assert door.posted_files() == {}


@pytest.mark.parametrize("body", [
    b"", b"--b", b"--b\r\n", b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--",
    b"--b\r\nContent-Disposition: form-data; name=file; filename=EVENT_OUTCOME_1.csv\r\n\r\ncut off in the mid",
    b"--other\r\n\r\n", b"\0" * 1_000, b"--b\r\n" + b"X" * 100_000,
])  # fmt: skip
@pytest.mark.parametrize("boundary", [b"; boundary=b", b"", b"; boundary=", b"; boundary=" + b"b" * 300])
def test_a_form_that_cannot_be_taken_apart_is_refused(door: Inbox, body: bytes, boundary: bytes) -> None:
    headers = {"Content-Type": (b"multipart/form-data" + boundary).decode()}
    answer = door.client.post(OUTCOME, content=body, headers=headers)
    assert answer.status_code in (400, 422)
    problem(answer, answer.status_code)
    assert door.posted_files() == {}


def test_a_full_disk_is_503_and_leaves_nothing_half(inbox: Inbox) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4 << 20, hard))
    try:
        told = inbox.post_file(OUTCOME, NAME, bytes(6 << 20))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    problem(told, 503)
    assert told.headers["retry-after"] == "30"
    assert (inbox.posted_files(), inbox.count(messages)) == ({}, 0)
    assert inbox.post_file(OUTCOME, NAME, CONTENT).status_code == 202


def test_a_folder_that_cannot_be_written_is_503(ledger: Ledger, tmp_path: Path) -> None:
    (tmp_path / "staging").mkdir()
    (tmp_path / "staging" / "inbox").write_text("no folder")
    with served(desk_of(ledger, tmp_path), tmp_path) as inbox:
        problem(inbox.post_file(OUTCOME, NAME, CONTENT), 503)
        assert inbox.count(messages) == 0
