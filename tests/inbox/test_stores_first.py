"""A message that was answered is safe, whatever dies; one that was not leaves no half of itself."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from sqlalchemy import NullPool, create_engine, text

from drbridge.contracts.message import Message
from drbridge.errors import Misconfigured
from drbridge.exchange import accept
from drbridge.exchange.desk import Desk
from drbridge.ledger.database import Ledger
from drbridge.ledger.tables import deliveries, messages, parcels
from drbridge.systems import Flow
from tests.inbox.serving import DERMS, OUTCOME, OUTCOME_FILE, STATUS, Inbox, Process, desk_of, status
from tests.unit.contracts.messages import sample


def test_a_kill_right_after_the_answer_loses_nothing(tmp_path: Path) -> None:
    with (process := Process(tmp_path)) as inbox:
        told = inbox.post(STATUS, status())
        process.kill()
        assert told.status_code == 202
        assert inbox.digests() == [told.json()["messageNumber"]]
        assert (inbox.count(deliveries), inbox.count(parcels)) == (1, 1)


def test_a_kill_right_before_the_commit_answers_nothing_and_the_same_message_again_is_taken(tmp_path: Path) -> None:
    with Process(tmp_path, dies="before the commit") as inbox:
        with pytest.raises(httpx.TransportError):
            inbox.post(STATUS, status())
        assert inbox.count(messages) == 0
    with Process(tmp_path) as inbox:
        assert inbox.post(STATUS, status()).status_code == 202
        assert (inbox.count(messages), inbox.count(deliveries)) == (1, 1)


def test_a_kill_between_a_file_and_its_message_leaves_the_file_for_its_flow(tmp_path: Path) -> None:
    content = OUTCOME_FILE.read_bytes()
    with Process(tmp_path, dies="before the commit") as inbox:
        with pytest.raises(httpx.TransportError):
            inbox.post_file(OUTCOME, OUTCOME_FILE.name, content)
        assert inbox.posted_files() == {OUTCOME_FILE.name: content}
    with Process(tmp_path) as inbox:
        other = inbox.post_file(OUTCOME, OUTCOME_FILE.name, content + b"x")
        assert other.status_code == 422
        assert inbox.post_file(OUTCOME, OUTCOME_FILE.name, content).status_code == 202
        assert inbox.posted_files() == {OUTCOME_FILE.name: content}
        assert inbox.count(messages) == 1


def test_the_same_message_again_is_answered_the_same_and_goes_once(inbox: Inbox) -> None:
    first, again = inbox.post(STATUS, status()), inbox.post(STATUS, status())
    assert first.status_code == again.status_code == 202
    assert first.json() == again.json()
    assert first.headers["location"] == again.headers["location"] == first.json()["status"]
    assert (inbox.count(messages), inbox.count(deliveries), inbox.count(parcels)) == (1, 1, 1)


def test_sixteen_callers_with_the_same_message_at_once(inbox: Inbox) -> None:
    def post(_: int) -> httpx.Response:
        return inbox.post(STATUS, status())

    inbox.client.get(f"{STATUS}")  # signed in, so that all of them come at once
    with ThreadPoolExecutor(16) as callers:
        answers = list(callers.map(post, range(16)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.text for answer in answers}) == 1
    assert (inbox.count(messages), inbox.count(deliveries)) == (1, 1)


def test_several_servers_with_the_same_message_at_once(ledger: Ledger, inbox: Inbox, tmp_path: Path) -> None:
    """As many workers of Airflow's API server do: each has a letterbox of its own."""
    desk = desk_of(ledger, tmp_path)
    posts = [accept.read("event_status", status(), "derms")]
    with ThreadPoolExecutor(8) as servers:
        receipts = list(servers.map(lambda _: accept.accept(desk, posts), range(32)))
    assert sum(receipt.is_new for (receipt,) in receipts) == 1
    assert not any(receipt.is_other for (receipt,) in receipts)
    assert inbox.count(messages) == 1


def test_another_body_under_the_same_number_is_refused(inbox: Inbox) -> None:
    assert inbox.post(STATUS, status()).status_code == 202
    other = inbox.post(STATUS, status(eventId="9002"))
    assert (other.status_code, other.headers["content-type"]) == (422, "application/problem+json")
    assert other.json()["errors"][0]["code"] == "number_taken"
    assert inbox.count(messages) == 1


def test_of_two_bodies_under_one_number_at_once_one_is_taken(inbox: Inbox) -> None:
    with ThreadPoolExecutor(8) as callers:
        answers = list(callers.map(lambda stage: inbox.post(STATUS, status(stageId=str(stage))), range(8)))
    assert sorted(answer.status_code for answer in answers) == [202] + [422] * 7
    assert inbox.count(messages) == 1


def test_another_spelling_of_the_same_json_is_the_same_message(inbox: Inbox) -> None:
    data = status(cancelReason="Gewitter über Köln")
    spelled = [
        json.dumps(data), json.dumps(data, ensure_ascii=False), json.dumps(data, indent=3),
        json.dumps(dict(reversed(data.items()))), "\ufeff" + json.dumps(data),
    ]  # fmt: skip
    answers = [inbox.post(STATUS, text.encode()) for text in spelled]
    assert {answer.status_code for answer in answers} == {202}
    assert inbox.count(messages) == 1


def test_the_number_of_one_noun_is_free_for_another(inbox: Inbox) -> None:
    first = inbox.post(STATUS, status("17"))
    second = inbox.post("/drbridge/event-opt-outs", _opt_out("17"))
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json()["messageNumber"] != second.json()["messageNumber"]


def test_a_cancelled_event_reaches_the_stages_that_came_with_it(inbox: Inbox, ledger: Ledger, tmp_path: Path) -> None:
    """Those of the same transaction too: callers post at once, and the letterbox commits them together."""
    posts = [
        accept.read("event_status", data, "derms")
        for data in (status("1", stageId="A"), status("2", stageId="B"), _cancel("3"))
    ]
    accept.accept(desk_of(ledger, tmp_path), posts)
    assert inbox.count(parcels) == 1 + 1 + 3


@pytest.mark.parametrize("ledger", ["postgres"], indirect=True)  # a file is never away
def test_a_ledger_that_is_away_is_told_and_messages_are_taken_when_it_is_back(postgres_url: str, inbox: Inbox) -> None:
    elsewhere = create_engine(f"{postgres_url.rpartition('/')[0]}/template1", poolclass=NullPool)
    with elsewhere.connect() as operator:
        operator = operator.execution_options(isolation_level="AUTOCOMMIT")
        operator.execute(text("ALTER DATABASE postgres ALLOW_CONNECTIONS false"))
        try:
            operator.execute(text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'postgres'"))
            told = inbox.post(STATUS, status())
            assert (told.status_code, told.headers["retry-after"]) == (503, "30")
            assert told.headers["content-type"] == "application/problem+json"
            assert inbox.client.get("/drbridge/health").status_code == 503
        finally:
            operator.execute(text("ALTER DATABASE postgres ALLOW_CONNECTIONS true"))
    assert inbox.client.get("/drbridge/health").status_code == 200
    assert inbox.post(STATUS, status()).status_code == 202
    assert inbox.count(messages) == 1


def test_one_that_cannot_be_written_does_not_hurt_the_others(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    bound = accept._flows

    def not_for_the_bad_one(desk: Desk, message: Message) -> list[Flow]:
        if message.number == "bad":
            raise Misconfigured("this one cannot be written")
        return bound(desk, message)

    monkeypatch.setattr(accept, "_flows", not_for_the_bad_one)
    numbers = [str(number) for number in range(20)] + ["bad"]
    with ThreadPoolExecutor(21) as callers:
        answers = dict(zip(numbers, callers.map(lambda n: inbox.post(STATUS, status(n)), numbers), strict=True))
    assert answers.pop("bad").status_code == 503
    assert {answer.status_code for answer in answers.values()} == {202}
    assert inbox.count(messages) == 20


def test_many_at_once_share_transactions(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    batches: list[int] = []
    write = accept.accept

    def counted(desk: Desk, posts: list[accept.Post]) -> list[accept.Receipt]:
        batches.append(len(posts))
        return write(desk, posts)

    monkeypatch.setattr("drbridge.inbox.letterbox.accept", counted)
    with ThreadPoolExecutor(32) as callers:
        answers = list(callers.map(lambda n: inbox.post(STATUS, status(str(n))), range(128)))
    assert {answer.status_code for answer in answers} == {202}
    assert sum(batches) == inbox.count(messages) == 128
    assert len(batches) < 128


def test_what_is_stored_cannot_be_read_in_the_database(inbox: Inbox) -> None:
    inbox.post(STATUS, status(cancelReason="Ada Muster, 555-0100"))
    with inbox.ledger.read() as tx:
        for table in (messages, deliveries, parcels):
            kept = str([tuple(row) for row in tx.execute(table.select())])
            assert "Ada" not in kept
            assert "9001" not in kept
    assert DERMS[1] not in kept


def _opt_out(number: str) -> object:
    return {**sample("event_opt_out"), "messageId": number}


def _cancel(number: str) -> object:
    return {"messageId": number, "eventId": "9001", "stageStatus": "CANCELED", "sentAt": "2026-07-14T12:30:00Z"}
