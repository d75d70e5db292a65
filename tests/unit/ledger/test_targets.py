"""Targets: five failures open the circuit, success closes it, Retry-After is kept, wrong settings keep us away."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from drbridge.ledger import targets
from drbridge.ledger.database import Ledger, clock
from drbridge.ledger.tables import targets as targets_table


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


def test_a_wrong_login_keeps_us_away_for_a_quarter_of_an_hour_or_until_a_person_asks(ledger: Ledger) -> None:
    with ledger.write() as tx:
        targets.stopped(tx, "derms", "HTTP 401")
        health = targets.health(tx, "derms")
        assert health.wait_seconds == pytest.approx(900, abs=3)
        assert (health.stopped, health.last_error) == (True, "HTTP 401")
        targets.try_again_now(tx, "derms")
        assert targets.health(tx, "derms").wait_seconds == 0


def test_what_was_under_way_when_we_were_stopped_does_not_end_the_stop(ledger: Ledger) -> None:
    with ledger.write() as tx:
        targets.stopped(tx, "derms", "HTTP 401")
        targets.succeeded(tx, "derms")
        for _ in range(5):
            targets.failed(tx, "derms", "HTTP 503")
        assert targets.health(tx, "derms").wait_seconds == pytest.approx(900, abs=3)


def test_an_open_circuit_is_no_stop(ledger: Ledger) -> None:
    with ledger.write() as tx:
        for _ in range(5):
            targets.failed(tx, "derms", "refused")
        assert not targets.health(tx, "derms").stopped


def test_a_wrong_path_keeps_us_from_its_endpoint_only(ledger: Ledger) -> None:
    with ledger.write() as tx:
        targets.succeeded(tx, "derms")
        targets.stopped(tx, "derms_acks", "HTTP 404")
        assert targets.health(tx, "derms", "derms_acks").stopped
        assert targets.health(tx, "derms", "derms_scores").wait_seconds == 0


def test_it_is_known_whether_a_target_worked_since_a_moment(ledger: Ledger) -> None:
    with ledger.write() as tx:
        assert not targets.worked_since(tx, "derms", 0.0)
        targets.succeeded(tx, "derms")
        now = tx.execute(select(clock(tx))).scalar_one()
        assert targets.worked_since(tx, "derms", now - 60)
        assert not targets.worked_since(tx, "derms", now + 1)


def test_permits_are_drawn_by_all_and_run_out(ledger: Ledger) -> None:
    with ledger.write() as tx:
        assert targets.permits(tx, "dacs", 40.0) == (10, 0.0)
        targets.draw(tx, "dacs", 10, 40.0)
    with ledger.write() as tx:
        left, wait = targets.permits(tx, "dacs", 40.0)
    assert left < 10
    assert wait <= 1 / 40.0


def test_a_slow_target_is_called_once_and_then_not_before_its_time(ledger: Ledger) -> None:
    with ledger.write() as tx:
        assert targets.permits(tx, "dacs", 0.5) == (1, 0.0)
        targets.draw(tx, "dacs", 1, 0.5)
        granted, wait = targets.permits(tx, "dacs", 0.5)
    assert granted == 0
    assert wait == pytest.approx(2.0, abs=0.5)


def test_permits_that_nobody_drew_are_not_saved_up(ledger: Ledger) -> None:
    with ledger.write() as tx:
        targets.draw(tx, "dacs", 1, 40.0)
        tx.execute(update(targets_table).values(permits_at=1.0))
        assert targets.permits(tx, "dacs", 40.0) == (10, 0.0)
