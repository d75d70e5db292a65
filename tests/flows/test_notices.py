"""Whole flows with a real mail server beside them: who is told what, and what nobody is ever told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import select

from drbridge.adapters.messengers import messengers
from drbridge.exchange.desk import Desk
from drbridge.exchange.tell import tell
from drbridge.ledger.tables import parcels
from drbridge.ports import Connection
from drbridge.settings import Notify
from drbridge_sandbox.sandbox import Sandbox
from tests.flows.cases import (
    BAD_SCORE,
    ENROLLMENT,
    ENROLLMENT_FLOW,
    ENROLLMENTS,
    NIC,
    OUTCOME,
    OUTCOMES,
    SCORE,
    SCORE_FLOW,
    SCORES,
    TO_DACS,
    TO_OUAI,
    asked,
    lenient,
    states,
)
from tests.flows.outsides import closed_port
from tests.stores import smtp_server
from tests.stores.smtp_server import MailServer

OWNER, USER = "owner@utility.example", "user@utility.example"
SETTINGS = Notify(mail="smtp_default", to=(OWNER,), to_process=(USER,), base_url="https://airflow.example")


@pytest.fixture
def post() -> Iterator[MailServer]:
    with smtp_server.running() as server:
        yield server


def with_settings(desk: Desk, settings: Notify = SETTINGS) -> Desk:
    return replace(desk, systems=desk.systems.model_copy(update={"notify": settings}))


def mails_to(desk: Desk, post: MailServer, who: str) -> list[str]:
    """Has what waits sent, and returns all that this reader got so far."""
    tell(desk, messengers(desk.systems.notify, lambda _: post.connection()))
    return [mail.get_content() for mail, to in zip(post.mails, post.to, strict=True) if to == [who]]


def test_business_users_learn_what_was_delivered_and_owners_are_left_in_peace(
    box: Sandbox, desk: Desk, post: MailServer
) -> None:
    told = with_settings(desk)
    box.drop(ENROLLMENTS, ENROLLMENT.name, ENROLLMENT.read_bytes())
    states(told, ENROLLMENT_FLOW)
    (mail,) = mails_to(told, post, USER)
    assert "What:  Enrollment file: DACS to OUAI: files delivered: 1 of 1" in mail
    assert f"Which: delivered: {ENROLLMENT.name} (ouai_enrollment: " in mail
    assert "Link:  https://airflow.example/dags/dacs_ouai_enrollment_sync" in mail
    assert mails_to(told, post, OWNER) == []
    states(told, ENROLLMENT_FLOW)
    assert len(mails_to(told, post, USER)) == 1


def test_a_file_in_part_stands_first_with_the_reason(box: Sandbox, desk: Desk, post: MailServer) -> None:
    told = with_settings(lenient(desk))
    box.drop(SCORES, SCORE.name, SCORE.read_bytes())
    box.drop(SCORES, "SDCSE_0043_00.csv", BAD_SCORE)
    states(told, SCORE_FLOW)
    (mail,) = mails_to(told, post, USER)
    assert "files delivered: 1 of 2, in part or not at all: 1" in mail
    assert "Which: not whole: SDCSE_0043_00.csv (derms_device_score: 4 rows (1 acked, 3 rejected))" in mail
    assert "the row has more or fewer fields than the header (rows: 3)" in mail
    assert f"       delivered: {SCORE.name}" in mail
    assert "Next:  correct the rows" in mail


def test_a_refused_file_is_told_to_both_and_again_when_a_person_had_it_sent_again(
    box: Sandbox, desk: Desk, post: MailServer
) -> None:
    told = with_settings(desk)
    box.drop(SCORES, SCORE.name, BAD_SCORE)
    assert states(told, SCORE_FLOW) == {SCORE.name: "refused"}
    (owners,), (users,) = mails_to(told, post, OWNER), mails_to(told, post, USER)
    assert "a file was refused" in owners
    assert "Why:   more rows are refused than the threshold allows" in owners
    assert "resend = failed" in owners
    assert "files delivered: 0 of 1, in part or not at all: 1" in users
    generous = with_settings(lenient(desk))
    assert states(generous, SCORE_FLOW, asked(SCORE.name, "failed")) == {SCORE.name: "settled"}
    assert len(mails_to(generous, post, USER)) == 2


def test_each_flow_of_a_shared_file_tells_its_own_result(box: Sandbox, desk: Desk, post: MailServer) -> None:
    told = with_settings(desk)
    box.drop(OUTCOMES, OUTCOME.name, OUTCOME.read_bytes())
    for flow in (TO_DACS, TO_OUAI):
        states(told, flow)
    assert len(mails_to(told, post, USER)) == 2


def test_flags_off_nobody_is_told(box: Sandbox, desk: Desk, post: MailServer) -> None:
    told = with_settings(desk, SETTINGS.model_copy(update={"error": False, "process_complete": False}))
    box.drop(SCORES, SCORE.name, SCORE.read_bytes())
    box.drop(SCORES, "SDCSE_0043_00.csv", BAD_SCORE)
    states(told, SCORE_FLOW)
    assert mails_to(told, post, USER) == mails_to(told, post, OWNER) == []


def test_nothing_of_a_row_is_ever_in_a_mail(box: Sandbox, desk: Desk, post: MailServer) -> None:
    told, canary = with_settings(desk), b"CANARY-Jane-Doe"
    header, first = SCORE.read_bytes().splitlines(keepends=True)[:2]
    fields = first.rstrip(b"\n").split(b",")
    spoilt = b",".join([*fields[:-1], canary]) + b"\n"
    in_place = b",".join([canary, *fields[1:]]) + b"\n"
    for number, data in enumerate((
        header + spoilt + in_place,
        canary + b"," + canary + b"x\n" + first,
        header + first + b'"' + canary,
        header.replace(b"nicId", canary) + first,
    )):
        box.drop(SCORES, f"SDCSE_0{number}_00.csv", data)
    states(told, SCORE_FLOW)
    assert len(mails_to(told, post, OWNER)) >= 2
    assert len(mails_to(told, post, USER)) == 1
    said = "".join(f"{mail.items()}{mail.get_content()}" for mail in post.mails)
    assert [word for word in (canary, *fields) if len(word) > 5 and word.decode() in said] == []


def test_what_the_other_side_says_of_a_row_stays_in_the_ledger(box: Sandbox, desk: Desk, post: MailServer) -> None:
    told = with_settings(lenient(desk))
    box.far("dacs").fault("reject_keys", keys=[NIC])
    box.drop(OUTCOMES, OUTCOME.name, OUTCOME.read_bytes())
    states(told, TO_DACS)
    with told.ledger.read() as tx:
        assert any(NIC in text for text in tx.execute(select(parcels.c.text)).scalars() if text)
    (mail,) = mails_to(told, post, USER)
    assert "the other side answered HTTP 400 (rows: 2)" in mail
    assert NIC not in mail


def test_a_dead_mail_server_changes_no_result_and_the_mail_comes_later(
    box: Sandbox, desk: Desk, post: MailServer
) -> None:
    told = with_settings(desk)
    box.drop(SCORES, SCORE.name, SCORE.read_bytes())
    assert states(told, SCORE_FLOW) == {SCORE.name: "settled"}
    plain = post.connection().extra
    dead = Connection("smtp_default", "smtp", "127.0.0.1", closed_port(), extra=plain)
    assert tell(told, messengers(told.systems.notify, lambda _: dead)) == 0
    assert set(box.files(SCORES)) == {f"Sent-{SCORE.name}"}
    assert len(mails_to(told, post, USER)) == 1
