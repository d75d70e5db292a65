"""Targets: five failures open the circuit, success closes it, Retry-After is kept."""

from __future__ import annotations

import pytest

from drbridge.ledger import targets
from drbridge.ledger.database import Ledger


def test_an_unknown_target_may_be_called(ledger: Ledger) -> None:
    with ledger.read() as tx:
        assert targets.health(tx, "new").wait_seconds == 0


def test_five_failures_in_a_row_open_the_circuit(ledger: Ledger) -> None:
    with ledger.write() as tx:
        for _ in range(4):
            targets.failed(tx, "derms", "refused")
        assert targets.health(tx, "derms").wait_seconds == 0
        targets.failed(tx, "derms", "refused")
        assert targets.health(tx, "derms").wait_seconds == pytest.approx(15, abs=3)


def test_the_pause_doubles_up_to_a_quarter_of_an_hour(ledger: Ledger) -> None:
    with ledger.write() as tx:
        for _ in range(6):
            targets.failed(tx, "derms", "refused")
        assert targets.health(tx, "derms").wait_seconds == pytest.approx(30, abs=3)
        for _ in range(20):
            targets.failed(tx, "derms", "refused")
        assert targets.health(tx, "derms").wait_seconds == pytest.approx(900, abs=3)


def test_one_success_closes_the_circuit(ledger: Ledger) -> None:
    with ledger.write() as tx:
        for _ in range(6):
            targets.failed(tx, "derms", "refused")
        targets.succeeded(tx, "derms")
        assert targets.health(tx, "derms").failures == 0
        assert targets.health(tx, "derms").wait_seconds == 0


def test_a_person_cuts_the_pause_short_but_not_the_time_the_target_asked_for(ledger: Ledger) -> None:
    with ledger.write() as tx:
        for _ in range(9):
            targets.failed(tx, "derms", "refused")
        targets.asked_to_wait(tx, "dacs", 120)
        for name in ("derms", "dacs"):
            targets.try_again_now(tx, name)
        assert targets.health(tx, "derms").wait_seconds == 0
        assert targets.health(tx, "dacs").wait_seconds == pytest.approx(120, abs=3)


def test_the_longest_waiting_time_asked_for_counts(ledger: Ledger) -> None:
    with ledger.write() as tx:
        targets.asked_to_wait(tx, "dacs", 120)
        targets.asked_to_wait(tx, "dacs", 5)
        assert targets.health(tx, "dacs").wait_seconds == pytest.approx(120, abs=3)
