"""The safeguards of requests and of the ledger, the test that guards each, and how to take it out."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl
import pytest
from sqlalchemy import Connection, update

from drbridge.adapters import http, http_auth, s3_upload, sftp_session
from drbridge.adapters.deadlines import Deadlines
from drbridge.exchange import cutting, outcomes, receive, sender
from drbridge.ledger import leases, parcels, targets
from drbridge.ledger.tables import parcels as parcels_table
from tests.faults import variants

Patch = pytest.MonkeyPatch


def doubt(patch: Patch) -> None:
    """What a lost worker had under way is taken for something that never went."""

    def never_went(tx: Connection, lease: leases.Lease) -> int:
        stuck = parcels_table.c.state == "IN_FLIGHT"
        return tx.execute(update(parcels_table).where(stuck).values(state="PENDING")).rowcount

    patch.setattr(parcels, "doubt_older_epochs", never_went)


def older_rows(patch: Patch) -> None:
    """Rows of an older file go though a newer one has settled them."""
    patch.setattr(cutting, "overtaken_lines", lambda *_: pl.Series("line", [], dtype=pl.UInt32))


def free_name(patch: Patch) -> None:
    """Whatever lies under a name is overwritten."""
    patch.setattr(s3_upload.S3Upload, "_condition", lambda *_: {})


def threshold(patch: Patch) -> None:
    """However many rows of a file are bad, the others go."""
    patch.setattr(receive, "_refusal", lambda _desk, _flow, _noun, report: report.refusal)


def circuit(patch: Patch) -> None:
    """Failures of a target are not counted."""
    patch.setattr(targets, "failed", lambda *_: None)


def window(patch: Patch) -> None:
    """The time that a target asks to be left alone is not kept."""
    patch.setattr(outcomes, "retry_after_of", lambda *_: 0.0)
    patch.setattr(targets, "asked_to_wait", lambda *_: None)


def pace(patch: Patch) -> None:
    """Permits are given without end."""
    patch.setattr(targets, "permits", lambda *_: (1_000, 0.0))


def one_fetch(patch: Patch) -> None:
    """Whoever finds no token fetches one."""

    async def header(self: http_auth.ClientCredentials) -> str:
        if not self._value:
            await self._renew()
        return self._value

    patch.setattr(http_auth.ClientCredentials, "header", header)


def deadline(patch: Patch) -> None:
    """A request may take as long as it likes."""
    patch.setattr(Deadlines, "within", lambda _self, _seconds, call: call)


def short_answers(patch: Patch) -> None:
    """An answer is read however long it is."""
    patch.setattr(http, "LARGEST_REPLY_BYTES", 1 << 40)


def one_try(patch: Patch) -> None:
    """A wrong password is given as often as it is asked for."""
    patch.setattr(sftp_session._Login, "_take_password", lambda login: login._password)


def scrub(patch: Patch) -> None:
    """What another system says is kept with all that it repeats of a row."""
    patch.setattr(sender, "scrubbed", lambda text, *_: text)


LEDGER, FLOWS, FAULTS, STORES = "tests/unit/ledger", "tests/flows", "tests/faults", "tests/stores"
AGAIN, ANSWERS = f"{FLOWS}/test_run_again.py", f"{FAULTS}/test_answers.py"

_TESTS: dict[Callable[[Patch], None], str] = {
    variants.no_fence: f"{LEDGER}/test_parcels.py::test_a_fenced_worker_settles_nothing",
    variants.no_lease: f"{LEDGER}/test_leases.py::test_a_lane_has_one_holder",
    variants.no_intent: f"{LEDGER}/test_parcels.py::test_a_claimed_parcel_is_not_given_twice",
    doubt: f"{LEDGER}/test_parcels.py::test_what_a_lost_worker_had_under_way_is_in_doubt_and_goes_first",
    variants.key_forgotten_on_failure: f"{ANSWERS}::test_what_gets_no_answer_is_in_doubt_and_takes_effect_once",
    variants.no_superseding: f"{FLOWS}/test_message_exam.py::test_older_after_newer_is_superseded_without_a_call",
    older_rows: f"{AGAIN}::test_the_older_file_after_the_newer_one_changes_nothing_that_the_newer_said",
    free_name: f"{STORES}/test_exam.py::test_a_name_that_is_taken_is_not_overwritten",
    variants.source_renamed_too_early: f"{AGAIN}::test_a_shared_file_keeps_its_name_until_both_flows_are_done",
    threshold: f"{AGAIN}::test_a_refused_file_ends_as_error_and_is_judged_anew_when_it_gets_its_name_back",
    circuit: f"{LEDGER}/test_targets.py::test_five_failures_in_a_row_open_the_circuit",
    window: f"{FAULTS}/test_storms.py::test_nothing_goes_into_the_window_that_a_target_names",
    pace: f"{FAULTS}/test_pace.py::test_no_more_calls_a_second_than_the_owner_allows",
    one_fetch: f"{STORES}/test_http.py::test_eight_callers_fetch_one_token",
    deadline: f"{STORES}/test_http.py::test_an_answer_that_drips_means_lost_at_the_deadline",
    short_answers: f"{STORES}/test_http.py::test_an_answer_of_five_megabytes_is_read_and_a_larger_one_means_lost",
    one_try: f"{STORES}/test_rude.py::test_a_wrong_password_is_tried_exactly_once",
    scrub: f"{FLOWS}/test_canaries.py::test_files_whose_rows_a_far_side_repeats",
}

SAFEGUARDS = {out.__name__.replace("_", " "): (test, out) for out, test in _TESTS.items()}
