"""A day's messages are the same for the same seed, are what the services take, and come to what is predicted."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from drbridge_sandbox.day import Day, Messages, Post, compare, make_day, make_messages
from drbridge_sandbox.day.batch import import_customers, knows_customers
from drbridge_sandbox.day.made import TO_DACS
from drbridge_sandbox.day.posting import PATHS
from drbridge_sandbox.sandbox import Sandbox
from tests.unit.sandbox.conftest import Caller

DAY = date(2026, 7, 14)


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Day:
    return make_day(7, 600, DAY, tmp_path_factory.mktemp("day"))


@pytest.fixture(scope="module")
def messages(day: Day) -> Messages:
    return make_messages(day)


def posts(messages: Messages) -> list[Post]:
    return [post for act in messages.acts for post in act.posts]


def test_the_same_seed_makes_the_same_messages(day: Day, messages: Messages, tmp_path: Path) -> None:
    again = make_messages(make_day(7, 600, DAY, tmp_path))
    assert again == messages


def test_another_day_has_messages_of_other_numbers(messages: Messages, tmp_path: Path) -> None:
    other = make_messages(make_day(7, 600, date(2026, 7, 15), tmp_path))
    assert not other.prediction.acks.keys() & messages.prediction.acks.keys()


def test_a_day_speaks_through_every_door(messages: Messages) -> None:
    counts = Counter(post.noun for post in posts(messages))
    assert counts.keys() == PATHS.keys()
    assert 140 <= counts["enrollment_change"] <= 200
    assert counts["enrollment_request"] == 2
    assert counts["device_status_check"] == 20


def test_bodies_are_plain_json(messages: Messages) -> None:
    for post in posts(messages):
        assert json.loads(json.dumps(post.body)) == post.body
        assert post.body is not None or post.file is not None


def test_every_kind_of_end_is_among_the_books(messages: Messages) -> None:
    found: Counter[str] = Counter()
    for act in messages.acts:
        for book in act.books.values():
            found += book
    assert set(found) == {"acked", "rejected", "superseded", "duplicate"}
    assert messages.book_of("network_location") is None


def test_what_an_act_lacks_is_found(messages: Messages, started: Sandbox) -> None:
    for system in started.services:
        started.far(system).reset()
    lacking = {each.where for each in compare(messages.prediction, started, alone=False)}
    assert {
        "derms acks", "dacs sync_request", "ccs sync_request", "dacs program_event", "dacs device_reservation",
        "derms subscription", "derms aggregator", "dacs enrollment",
    } <= lacking  # fmt: skip


def test_a_step_that_was_refused_is_a_difference(messages: Messages, started: Sandbox) -> None:
    started.far("dacs").reset()
    stage, steps = next(iter(messages.prediction.steps.items()))
    Caller(started, "dacs").json(
        "POST", "/rest/apis/cross/service/programEvent/lifecycle",
        {"eventExternalIdentifier": stage, "action": "X1IP"},
    )  # fmt: skip
    found = [
        str(each) for each in compare(messages.prediction, started, alone=False) if f"steps of {stage}" in each.what
    ]
    assert found == [f"dacs program_event: steps of {stage}: expected {', '.join(steps)}, found X1IP (refused)"]


def test_dacs_knows_the_customers_that_lie_in_its_store(day: Day, started: Sandbox) -> None:
    for system in started.services:
        started.far(system).reset()
    assert not knows_customers(started, day)
    name = f"C1-DCTEX_{DAY:%Y%m%d}_00.csv"
    file = next(each for each in day.files if each.name == name)
    started.drop(f"{TO_DACS}/customers", name, file.path)
    started.far("derms").know_customers(f"P{number:09d}" for number in day.customers)
    assert knows_customers(started, day)
    assert {f"P{number:09d}" for number in day.customers} <= import_customers(started)
    started.place(f"{TO_DACS}/customers").remove(name)
