"""What a run is asked to do, from what Airflow knows of it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from drbridge.errors import BadInput
from drbridge.exchange.work import work_of

DAY = (datetime(2026, 7, 14, tzinfo=UTC), datetime(2026, 7, 15, tzinfo=UTC))


def test_a_scheduled_run_works_on_everything_that_waits() -> None:
    work = work_of("scheduled", {}, DAY, None)
    assert not work.is_narrowed
    assert not work.by_hand
    assert work.who == "schedule"


@pytest.mark.parametrize("run_type", ["asset_triggered", "manual"])
def test_a_run_without_an_interval_works_on_everything_that_waits(run_type: str) -> None:
    assert not work_of(run_type, {}, None, None).is_narrowed


def test_a_backfill_works_on_its_day_and_shows_what_was_settled() -> None:
    work = work_of("backfill", {}, DAY, "kim")
    assert (work.since, work.until) == DAY
    assert work.settled_too
    assert work.by_hand


def test_the_form_narrows_a_manual_run() -> None:
    work = work_of(
        "manual", {"file": "SDCSE_*", "since": "2026-07-14", "until": "2026-07-15T06:00:00+02:00"}, None, "kim"
    )
    assert work.wants_name("SDCSE_7.csv")
    assert not work.wants_name("ENROLL.csv")
    assert work.until == datetime(2026, 7, 15, 4, tzinfo=UTC)
    assert work.wants_time(datetime(2026, 7, 14, 12, tzinfo=UTC))
    assert not work.wants_time(datetime(2026, 7, 15, 4, tzinfo=UTC))


def test_the_end_of_the_window_is_outside() -> None:
    assert not work_of("backfill", {}, DAY, None).wants_time(DAY[1])


@pytest.mark.parametrize(
    "params",
    [
        {"since": "yesterday"},
        {"resend": "everything"},
        {"since": "2026-07-15", "until": "2026-07-14"},
        {"resend": "all"},
    ],
)
def test_an_impossible_form_is_refused_with_the_reason(params: dict[str, object]) -> None:
    with pytest.raises(BadInput) as refused:
        work_of("manual", params, None, "kim")
    assert refused.value.code == "bad_params"
    assert refused.value.fix


def test_a_files_own_name_with_glob_characters_is_itself() -> None:
    assert work_of("manual", {"file": "SDCSE_[1].csv"}, None, None).wants_name("SDCSE_[1].csv")
