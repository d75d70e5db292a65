"""Every kind of message is taken at both of its paths, in and out of its frame, and what is wrong in it is named."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from drbridge.contracts import MESSAGES
from drbridge.exchange.results import content_of
from drbridge.inbox.paths import DOORS
from tests.inbox.serving import JSON_DOORS, Inbox, desk_of, path_of
from tests.unit.contracts.messages import Where, good, sample
from tests.unit.contracts.test_messages_refused import leaves

NOUNS = [door.noun for door in JSON_DOORS]
CANARY = "Quetzalcoatl-555-0199"


@pytest.mark.parametrize("published", [True, False], ids=["published", "short"])
@pytest.mark.parametrize("at", JSON_DOORS, ids=NOUNS)
def test_the_sample_of_every_noun_is_taken_at_both_paths(door: Inbox, at: Any, published: bool) -> None:
    answer = door.post(path_of(at, published), sample(at.noun), Prefer="wait=0")
    assert answer.status_code == 202, answer.text
    told = answer.json()
    assert (told["state"], told["status"]) == ("stored", answer.headers["location"])
    found = door.client.get(told["status"])
    assert (found.status_code, found.json()["noun"], found.json()["state"]) == (200, at.noun, "under way")


@pytest.mark.parametrize("at", JSON_DOORS, ids=NOUNS)
def test_with_and_without_its_frame_it_is_the_same_message(door: Inbox, at: Any) -> None:
    frame, inside = MESSAGES[at.noun].frame or "unused", good(at.noun)
    numbers = {
        door.post(path_of(at, False), data).json()["messageNumber"]
        for data in (inside, {frame: inside} if MESSAGES[at.noun].frame else inside)
    }
    assert len(numbers) == 1


def test_what_is_not_agreed_on_is_kept_as_it_came(door: Inbox, tmp_path: Any) -> None:
    odd = {"big": 10**300, "digits": int("9" * 4_300), "text": "\0 \u2028 😀", "deep": [[[[{"a": [None, True, 1.5]}]]]]}
    answer = door.post("/drbridge/event-statuses", {**good("event_status"), "messageId": "odd", "color": odd})
    assert answer.status_code == 202
    desk = desk_of(door.ledger, tmp_path)
    number = answer.json()["messageNumber"]
    content: Any = content_of(desk, number)
    assert content["color"] == odd
    assert door.client.get(answer.json()["status"]).status_code == 200, "it can be opened again"


def broken(data: Any) -> Iterator[tuple[Where, Any]]:
    """A good message with a canary of each kind in each of its places."""
    for where, _ in leaves(data):
        for canary in (CANARY, CANARY * 30, f"2026-02-30T00:00:00Z{CANARY}", [CANARY], {CANARY: CANARY}, -5550199.5):
            changed = copy.deepcopy(data)
            group = changed
            for step in where[:-1]:
                group = group[step]
            group[where[-1]] = canary
            yield where, changed


@pytest.mark.parametrize("at", JSON_DOORS, ids=NOUNS)
def test_a_problem_names_the_field_and_never_repeats_a_value(door: Inbox, at: Any) -> None:
    refused = 0
    for where, data in broken(good(at.noun)):
        answer = door.post(path_of(at, False), data)
        if answer.status_code == 202:
            continue
        refused += 1
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
        for canary in ("Quetz", "5550199", "2026-02-30"):
            assert canary not in answer.text
        problem = answer.json()
        assert set(problem) <= {"type", "title", "status", "detail", "errors"}
        if problem["errors"][0]["code"] != "number_taken":
            named = [each["field"] for each in problem["errors"]]
            place = ".".join(map(str, where)).replace("responses.response.", "responses.")  # an inner frame
            assert any(place.startswith(field) or field.startswith(place) or field == "message" for field in named)
    assert refused > 3


def test_no_noun_is_forgotten() -> None:
    assert {door.noun for door in DOORS if door.shape != "file"} == set(MESSAGES) - {"posted_file"}


def test_at_most_twenty_flaws_are_listed(door: Inbox) -> None:
    data = good("enrollment_request")
    data["requests"] = [{"programInfo": {}}] * 100
    assert len(door.post("/drbridge/enrollment-requests", data).json()["errors"]) == 20
    assert len(json.dumps(data)) < 10_000
