"""What lost uploads left: housekeeping clears it away after a day, and only what is ours."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from drbridge.adapters.names import hidden_name
from drbridge.exchange.desk import Desk
from drbridge.exchange.housekeeping import sweep
from drbridge.exchange.uploads import Noted
from drbridge.ledger.tables import uploads
from drbridge_sandbox.sandbox import Sandbox
from tests.flows.cases import SCORES, acts
from tests.flows.outsides import OneDown
from tests.flows.test_housekeeping import in_days

BUCKET, PREFIX = "ouai", "incoming/enrollment"
STORE = f"s3://ouai_objects/{BUCKET}/{PREFIX}"
NAME, THEIRS = "ENROLL_SYNC_1.csv", "ENROLL_SYNC_1.csv.theirs"


@pytest.fixture
def client(box: Sandbox) -> Any:
    """OUAI's own way into its bucket, where nobody's upload is left open."""
    made = box.objects.client()
    for each in made.list_multipart_uploads(Bucket=BUCKET).get("Uploads", ()):
        made.abort_multipart_upload(Bucket=BUCKET, Key=each["Key"], UploadId=each["UploadId"])
    return made


def begin(client: Any, name: str) -> None:
    client.create_multipart_upload(Bucket=BUCKET, Key=f"{PREFIX}/{name}")


def left_open(client: Any) -> list[str]:
    found = client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", ())
    return [each["Key"].removeprefix(f"{PREFIX}/") for each in found]


def notes(desk: Desk) -> list[str]:
    with desk.ledger.read() as tx:
        return list(tx.execute(select(uploads.c.name)).scalars())


@pytest.fixture
def lost(desk: Desk, client: Any) -> Desk:
    """A worker was lost in an upload of ours; somebody else has one open beside it."""
    Noted(desk.ledger, STORE, NAME).begin()
    begin(client, NAME)
    begin(client, THEIRS)
    return desk


def test_parts_of_ours_go_after_a_day_and_those_of_others_stay(lost: Desk, client: Any) -> None:
    assert sweep(lost).uploads == 0
    assert sorted(left_open(client)) == [NAME, THEIRS]
    assert sweep(in_days(lost, 2)).uploads == 1
    assert (left_open(client), notes(lost)) == ([THEIRS], [])
    assert acts(lost) == [("housekeeping", "delete")]


def test_a_note_of_which_nothing_is_left_goes_too(desk: Desk, box: Sandbox) -> None:
    Noted(desk.ledger, STORE, NAME).begin()
    assert sweep(desk).uploads == 0
    assert notes(desk) == [NAME]
    assert sweep(in_days(desk, 2)).uploads == 0
    assert notes(desk) == []


def test_hidden_files_of_ours_go_after_a_day_wherever_we_write(desk: Desk, box: Sandbox) -> None:
    inbox = desk.staging.inbox / "event_outcomes"
    inbox.mkdir(parents=True)
    draft = inbox / hidden_name("a.csv")
    draft.write_bytes(b"1")
    places = (SCORES, f"{SCORES}/rejects", STORE)
    for url in places:
        box.drop(url, hidden_name("a.csv"), b"1")
        box.drop(url, "a.csv", b"2")
    assert sweep(desk).uploads == 0
    swept = sweep(in_days(desk, 2))
    assert (swept.uploads, swept.unreached) == (4, ())
    assert [box.place(url).names() for url in places] == [["a.csv"]] * 3
    assert not draft.exists()


def test_a_store_that_cannot_be_reached_keeps_no_other_from_its_turn(lost: Desk, client: Any, box: Sandbox) -> None:
    box.drop(SCORES, hidden_name("a.csv"), b"1")
    swept = sweep(replace(in_days(lost, 2), outside=OneDown(lost.outside, STORE)))
    assert swept.uploads == 1
    assert [(each.where, each.what) for each in swept.unreached] == [
        (STORE, f"could not be looked into: {STORE} is down")
    ]
    assert notes(lost) == [NAME]
    assert sweep(in_days(lost, 2)).uploads == 1
    assert (left_open(client), notes(lost)) == ([THEIRS], [])
