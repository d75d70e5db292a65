"""The soak's own parts: what is drawn from a seed, and what a difference at the far side is called."""

from __future__ import annotations

from random import Random

import pytest

from drbridge_sandbox.day import Difference
from drbridge_sandbox.rest.faults import Fault as Setting
from tests.faults.soak.faults import draw, setting
from tests.faults.soak.verdict import kind_of


def test_the_same_seed_draws_the_same_faults() -> None:
    first, again, other = (draw(Random(seed), 240) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_every_day_has_a_kill_a_power_cut_an_outage_and_rude_replies() -> None:
    for seed in range(50):
        kinds = {fault.kind for fault in draw(Random(seed), 240)}
        assert {"kill -9", "power cut", "down", "reply"} <= kinds


def test_the_dial_takes_every_reply_that_is_drawn() -> None:
    drawn = [fault for seed in range(50) for fault in draw(Random(seed), 240) if fault.kind == "reply"]
    settings = [Setting(**setting(fault)) for fault in drawn]
    assert {each.name for each in settings} == {
        "drop_before", "drop_after", "error_after", "status", "slow", "html", "error_in_200",
    }  # fmt: skip
    assert all(each.path == "/health" for each in settings if each.name == "error_in_200")


@pytest.mark.parametrize(
    ("what", "found", "kind"),
    [
        ("2 without effect: a, b", "none", "lost"),
        ("sha256 of ENROLL.csv", "nothing", "lost"),
        ("sha256 of ENROLL.csv", "0f1e2d", "torn"),
        ("1 not just once: a", "more", "duplicated"),
        ("3 unexpected: a, b, c", "an effect", "duplicated"),
        ("other files", "['x.csv']", "duplicated"),
        ("name of the source", "['ENROLL.csv']", "left open"),
        ("steps of 7", "create", "otherwise wrong"),
    ],
)
def test_a_difference_is_called_by_the_promise_it_breaks(what: str, found: str, kind: str) -> None:
    assert kind_of(Difference("enrollment_sync", "ouai", what, "1 effect", found)) == kind
