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


@pytest.mark.parametrize("given", [" SDCSE_1.csv ", "Sent-SDCSE_1.csv", "Error-SDCSE_1.csv", "\tSent-SDCSE_1.csv\n"])
def test_a_file_is_known_by_its_first_name_however_it_is_given(given: str) -> None:
    assert work_of("manual", {"file": given}, None, None, prefixes=("Sent-", "Error-")).file == "SDCSE_1.csv"


def test_a_file_of_blanks_is_every_file() -> None:
    assert work_of("manual", {"file": "  "}, None, None).file is None


def test_what_is_wrong_with_a_form_is_told_without_the_words_of_programmers() -> None:
    with pytest.raises(BadInput) as refused:
        work_of("manual", {"resend": "all"}, None, None)
    assert refused.value.detail.startswith("resend=all needs a file")
    with pytest.raises(BadInput) as refused:
        work_of("manual", {"resend": "everything"}, None, None)
    assert refused.value.detail.startswith("resend: ")


def test_the_window_is_told_in_words() -> None:
    assert work_of("manual", {}, None, None).asked_for == "every file"
    asked = work_of("backfill", {"file": "SDCSE_*"}, DAY, None)
    assert asked.asked_for == "file SDCSE_*, since 2026-07-14 00:00Z, until 2026-07-15 00:00Z"
