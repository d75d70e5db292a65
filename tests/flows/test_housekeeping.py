"""Housekeeping: staging, posted files and contents go when their time is over; what is asked for then says so."""

from __future__ import annotations

import copy
import os
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from drbridge.errors import Interrupted, NotKnownThere
from drbridge.exchange.accept import accept, read
from drbridge.exchange.desk import Desk
from drbridge.exchange.housekeeping import Swept, sweep
from drbridge.exchange.results import result_of
from drbridge.exchange.send import answer, send
from drbridge.exchange.work import Work
from drbridge.ledger.tables import messages
from drbridge_sandbox.sandbox import Sandbox
from tests.flows.cases import SCORE, SCORE_FLOW, SCORES, acts, asked, books, states
from tests.unit.contracts.messages import good

STAGE = "derms_dacs_event_status"


class Later:
    """A clock so many days ahead."""

    def __init__(self, days: int) -> None:
        self.ahead = timedelta(days=days)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def monotonic(self) -> float:
        return time.monotonic()


def in_days(desk: Desk, days: int) -> Desk:
    return replace(desk, clock=Later(days))


def staged(desk: Desk) -> list[Path]:
    return list(desk.staging.root.glob("*/*/*/manifest.json"))


@pytest.fixture
def scored(desk: Desk, box: Sandbox) -> Desk:
    """A file of scores was delivered."""
    box.drop(SCORES, SCORE.name, SCORE)
    states(desk, SCORE_FLOW)
    return desk


def test_a_fresh_installation_has_nothing_to_delete(desk: Desk) -> None:
    assert sweep(desk).in_words == ""
    assert acts(desk) == []


def test_what_was_staged_goes_after_its_days_and_the_facts_stay(scored: Desk) -> None:
    assert sweep(in_days(scored, 89)) == Swept(looks=1), "the lease under which it was taken"
    assert len(staged(scored)) == 1
    assert sweep(in_days(scored, 91)).folders == 1
    assert staged(scored) == []
    assert books(scored)[f"{SCORE.name} > derms_device_score"].acked == 5
    assert acts(scored) == [("housekeeping", "delete")] * 2


def test_rows_that_are_asked_for_after_their_time_are_not_sent_and_say_so(scored: Desk, box: Sandbox) -> None:
    sweep(in_days(scored, 91))
    calls = box.far("derms").calls()
    with pytest.raises(Interrupted, match="staging_days ago"):
        states(scored, SCORE_FLOW, asked(SCORE.name, "all"))
    assert states(scored, SCORE_FLOW) == {SCORE.name: "settled"}
    assert box.far("derms").calls() == calls


def test_the_facts_go_at_last_and_the_same_file_counts_as_new(scored: Desk, box: Sandbox) -> None:
    assert sweep(in_days(scored, 401)).facts == 1
    assert books(scored) == {}
    box.drop(SCORES, SCORE.name, SCORE)
    assert states(scored, SCORE_FLOW) == {SCORE.name: "settled"}


def test_a_file_that_waits_for_a_person_keeps_everything(desk: Desk, box: Sandbox) -> None:
    box.far("derms").down()
    box.drop(SCORES, SCORE.name, SCORE)
    states(desk, SCORE_FLOW)
    box.far("derms").up()
    assert sweep(in_days(desk, 1000)).folders == 0
    assert states(desk, SCORE_FLOW) == {SCORE.name: "settled"}


def test_staging_of_no_known_file_goes_after_a_day_and_strangers_stay(scored: Desk) -> None:
    (manifest,) = staged(scored)
    stray, strange = manifest.parents[2] / ("0" * 64), scored.staging.root / "device_score" / "backup"
    for folder in (stray / "verdict", strange, scored.staging.root / "photos" / ("0" * 64)):
        folder.mkdir(parents=True)
    assert sweep(scored).folders == 0
    for path in (stray, stray / "verdict", strange):
        os.utime(path, (1.0, 1.0))
    assert sweep(scored).folders == 1
    assert not stray.exists()
    assert strange.exists()
    assert len(staged(scored)) == 1


def test_posted_files_go_once_they_have_their_verdict(desk: Desk) -> None:
    folder = desk.staging.inbox / "device_reservations"
    (folder / "rejects").mkdir(parents=True)
    kept, old, fresh = folder / "RESERVE_1.csv", folder / "Sent-RESERVE_2.csv", folder / "Error-RESERVE_3.csv"
    rejects = folder / "rejects" / "RESERVE_3.csv.rejects.csv"
    for path in (kept, old, fresh, rejects):
        path.write_text("x")
    for path in (kept, old, rejects):
        os.utime(path, (1.0, 1.0))
    assert sweep(desk).posted == 2
    assert [path.name for path in sorted(folder.glob("*.csv"))] == [fresh.name, kept.name]


def test_a_message_whose_content_is_deleted_is_known_and_is_not_sent_again(desk: Desk, box: Sandbox) -> None:
    (receipt,) = accept(desk, [read("event_status", copy.deepcopy(good("event_status")), "derms")])
    send(desk, STAGE, Work(by_hand=True))
    answer(desk, STAGE, Work(by_hand=True))
    assert sweep(in_days(desk, 91)).contents == 1
    found = result_of(desk, receipt.number)
    assert found is not None
    assert (found.state, found.answer) == ("settled", None)
    (again,) = accept(desk, [read("event_status", copy.deepcopy(good("event_status")), "derms")])
    assert (again.is_new, again.is_other) == (False, False)
    calls = box.far("dacs").calls()
    with pytest.raises(NotKnownThere, match="Not sent again, for its content was deleted: event_status"):
        send(desk, STAGE, asked(receipt.number, "all"))
    send(desk, STAGE, Work(by_hand=True))
    assert box.far("dacs").calls() == calls


def test_what_is_open_without_its_content_waits_for_a_person_and_holds_nobody_up(desk: Desk, box: Sandbox) -> None:
    accept(desk, [read("event_status", copy.deepcopy(good("event_status")), "derms")])
    with desk.ledger.write() as tx:
        tx.execute(update(messages).values(sealed=b""))
    other = copy.deepcopy(good("event_status")) | {"messageId": "ST-9", "stageId": "1999"}
    accept(desk, [read("event_status", other, "derms")])
    result = send(desk, STAGE, Work(by_hand=True))
    assert (result.acked, result.parked) == (1, 1)
