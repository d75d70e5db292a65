"""The safeguards of files and stores, the test that guards each, and how to take it out."""

from __future__ import annotations

import uuid
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from itertools import count
from typing import Any

import polars as pl
import pytest

from drbridge.adapters import s3, s3_upload, sftp
from drbridge.checks import file_check, unpack
from drbridge.checks.keys import NOTHING_EXCLUDED, Keys
from drbridge.contracts import intervals
from drbridge.exchange import receive, relay, requests, sender, take, waiting
from drbridge.exchange.operation import Operation
from drbridge.exchange.receive import Received
from drbridge.exchange.work import Work
from drbridge.ledger import leases, parcels, queue
from drbridge.ledger.database import Ledger, _told_plainly
from drbridge.ledger.leases import Lease
from drbridge.ledger.parcels import Claim
from drbridge.ledger.tables import deliveries

TakeOut = Callable[[pytest.MonkeyPatch], None]
_HERE = "tests/faults/test_files_"


def _set(where: Any, name: str, value: Any) -> TakeOut:
    return lambda patch: patch.setattr(where, name, value)


def _identity(**changed: Callable[[Received], str]) -> TakeOut:
    """Another identity of what arrived."""
    arrival = Received.arrival.fget  # type: ignore[attr-defined]
    named = property(lambda self: replace(arrival(self), **{name: of(self) for name, of in changed.items()}))
    return _set(Received, "arrival", named)


def _all(*each: TakeOut) -> TakeOut:
    return lambda patch: [one(patch) for one in each] and None


def _by_time(store: Any) -> Callable[[Any], Any]:
    """A listing that goes on where the last one ended, by time."""
    whole, last = store.list, [0.0]

    def newer(self: Any) -> Any:
        found = [each for each in whole(self) if each.mtime > last[0]]
        last[0] = max([last[0], *(each.mtime for each in found)])
        return found

    return newer


def _not_held(real: Any, begins: str = "") -> Any:
    """Work on lanes that begin so without holding them."""

    @contextmanager
    def working_on(desk: Any, lane: str, share: int = 0) -> Iterator[Lease | None]:
        if lane.startswith(begins):
            yield Lease(lane, desk.worker, 0, 90.0, share)
        else:
            with real(desk, lane, share) as lease:
                yield lease

    return working_on


def _gunzip(chunks: Iterator[bytes]) -> Iterator[bytes]:
    inflate = zlib.decompressobj(wbits=31)
    yield from (inflate.decompress(chunk) for chunk in chunks)


@contextmanager
def _without_begin(self: Ledger) -> Iterator[Any]:
    with _told_plainly(), self.engine.connect() as connection:
        yield connection


def _unmarked(tx: Any, lease: Lease, look: Any) -> Any:
    return [Claim(*row) for row in tx.execute(look)]


_BACKWARDS = count(1e9, -1.0)

_NOTHING_IS_KNOWN = _all(
    _identity(name_key=lambda self: uuid.uuid4().hex),
    _set(take, "known_intake", lambda *_: None),
    _set(relay, "known_intake", lambda *_: None),
)

SAFEGUARDS: dict[str, tuple[str, TakeOut]] = {
    "the file is looked at before and after it is read": (
        f"{_HERE}changing.py::test_a_file_that_changes_while_it_is_read_is_not_taken_and_goes_once_it_is_whole",
        _set(sftp.SftpStore, "_checked", lambda self, reader, *_: iter(reader)),
    ),
    "quiet time": (
        f"{_HERE}changing.py::test_a_half_written_file_is_not_taken_however_long_it_takes_to_grow",
        _set(waiting, "_is_quiet", lambda *_: True),
    ),
    "size in a look": (
        f"{_HERE}changing.py::test_a_file_that_grows_between_two_looks_is_not_taken",
        _set(waiting, "_is_quiet", lambda *_: True),
    ),
    "both ends in a look": (
        f"{_HERE}changing.py::test_a_file_rewritten_between_two_looks_is_not_taken_though_size_and_time_stay",
        _set(sftp.SftpStore, "ends_hash", lambda *_: ""),
    ),
    "a file that went away stops no other": (
        f"{_HERE}changing.py::test_a_file_that_went_between_list_and_open_is_no_error_and_stops_no_other",
        _set(waiting, "Unstable", type("Never", (Exception,), {})),
    ),
    "a renamed file is a new look": (
        f"{_HERE}changing.py::test_a_file_renamed_between_list_and_open_goes_once_under_its_new_name",
        _set(waiting, "Unstable", type("Never", (Exception,), {})),
    ),
    "patience with a slow server": (
        f"{_HERE}changing.py::test_a_slow_server_gives_the_whole_file", _set(sftp, "STALL_SECONDS", 0.05),
    ),
    "the hash of the bytes is the identity: same name": (
        f"{_HERE}identity.py::test_the_same_name_with_other_content_is_another_file",
        _identity(sha256=lambda self: sha256(self.seen.name.encode()).hexdigest()),
    ),
    "the hash of the bytes is the identity: other name": (
        f"{_HERE}identity.py::test_another_name_with_the_same_content_makes_no_call_and_is_put_away",
        _identity(name_key=lambda self: self.seen.name),
    ),
    "both ends in the fingerprint": (
        f"{_HERE}identity.py::test_the_same_name_size_and_time_with_other_content_is_another_file",
        _all(_set(sftp.SftpStore, "ends_hash", lambda *_: ""),
             _identity(sha256=lambda self: sha256(self.seen.name.encode()).hexdigest())),
    ),
    "time is no cursor: years": (
        f"{_HERE}identity.py::test_a_file_of_any_time_goes_once",
        lambda patch: patch.setattr(sftp.SftpStore, "list", _by_time(sftp.SftpStore)),
    ),
    "time is no cursor: seconds": (
        f"{_HERE}identity.py::test_files_older_than_one_that_is_settled_are_not_passed_over",
        lambda patch: patch.setattr(sftp.SftpStore, "list", _by_time(sftp.SftpStore)),
    ),
    "time is no identity": (
        f"{_HERE}identity.py::test_a_file_whose_time_changes_and_content_does_not_makes_no_call",
        _identity(name_key=lambda self: f"{self.seen.mtime}"),
    ),
    "the probe for conditional writes": (
        f"{_HERE}published.py::test_a_store_without_conditional_writes_is_found_out",
        _set(s3.S3Store, "honours_conditions", lambda self: True),
    ),
    "a write that is refused for its condition goes without": (
        f"{_HERE}published.py::test_a_file_goes_once_and_a_correction_after_it_there_too",
        _set(s3_upload, "with_condition", lambda operation, wanted, condition: operation(**wanted, **condition)),
    ),
    "lease of a file": (
        f"{_HERE}published.py::test_of_two_workers_with_one_file_one_publishes_and_the_other_finds_it_busy",
        lambda patch: patch.setattr(relay, "working_on", _not_held(relay.working_on)),
    ),
    "lease of a name": (
        f"{_HERE}published.py::test_two_files_that_want_one_object_name_do_not_overwrite_each_other",
        lambda patch: patch.setattr(relay, "working_on", _not_held(relay.working_on, "put > ")),
    ),
    "fencing": (
        f"{_HERE}published.py::test_a_worker_held_up_past_its_leases_and_the_one_after_it_leave_one_whole_object",
        _set(leases, "keep", lambda tx, lease, seconds=90.0: lease),
    ),
    "the end of a gz": (
        f"{_HERE}packed.py::test_a_packed_file_cut_at_every_64th_byte_is_refused_and_gives_no_row",
        _set(unpack, "_gunzip", _gunzip),
    ),
    "the end of a gz, on its way": (
        f"{_HERE}packed.py::test_no_row_of_a_cut_file_goes_and_all_of_the_whole_file_do",
        _set(unpack, "_gunzip", _gunzip),
    ),
    "a full staging disk is no mistake of ours": (
        f"{_HERE}disk.py::test_a_full_staging_disk_is_told_and_the_file_goes_once_there_is_room",
        _set(receive, "explained", lambda folder: nullcontext()),
    ),
    "an arrival is one transaction": (
        f"{_HERE}disk.py::test_a_full_ledger_is_told_and_nothing_is_taken_in_half",
        _set(Ledger, "write", _without_begin),
    ),
    "intent before the wire": (
        f"{_HERE}disk.py::test_a_ledger_that_fills_up_between_send_and_note_sends_nothing_twice",
        _set(queue, "_take", _unmarked),
    ),
    "an upload that failed leaves nothing": (
        f"{_HERE}disk.py::test_a_full_content_server_is_told_and_keeps_no_half_file",
        _set(sftp.SftpUpload, "end", lambda self: None),
    ),
    "a refused chunk is halved": (
        f"{_HERE}rows.py::test_of_a_thousand_records_one_poisoned_the_other_999_go",
        _set(Operation, "can_split", False),
    ),
    "a hopeless file is held": (
        f"{_HERE}rows.py::test_a_file_of_which_every_row_is_refused_is_held_after_three_chunks",
        _set(sender.Sender, "_hold_hopeless", lambda self, tx, counted: None),
    ),
    "keys are compared": (
        f"{_HERE}rows.py::test_rows_that_contradict_each_other_are_set_aside_with_both_lines_and_the_rest_goes",
        _set(Keys, "resolve", lambda self: NOTHING_EXCLUDED),
    ),
    "rows shown again are those that were judged": (
        "tests/unit/checks/test_recall.py::test_rows_that_are_not_the_same_any_more_are_not_shown",
        _set(file_check.FileCheck, "_compare", lambda *_: None),
    ),
    "a body that never came is no object": (
        "tests/faults/test_uploads.py::test_a_put_that_breaks_off_before_its_body_leaves_no_object",
        lambda patch: patch.setattr(s3_upload, "with_condition", partial(_without_md5, s3_upload.with_condition)),
    ),
    "an empty file is its name": (
        f"{_HERE}rows.py::test_days_without_a_row_are_settled_each_for_itself_without_a_call",
        _identity(name_key=lambda self: ""),
    ),
    "oldest first": (
        f"{_HERE}rows.py::test_the_backlog_of_three_days_goes_oldest_event_first",
        _set(queue, "OLDEST_FIRST", (deliveries.c.id,)),
    ),
    "a bounded run": (
        f"{_HERE}rows.py::test_a_run_takes_no_more_of_a_backlog_than_it_can_hold_the_oldest_first",
        _set(waiting, "MOST_FILES", 1_000),
    ),
    "a reservation waits for its stage": (
        f"{_HERE}rows.py::test_an_outcome_that_comes_before_its_reservation_and_stage_goes_and_they_go_after_it",
        _set(requests, "waits_for_stage", lambda *_: False),
    ),
    "what is known is not read again": (
        f"{_HERE}again.py::test_a_cleared_run_sends_nothing_of_what_is_settled",
        _NOTHING_IS_KNOWN,
    ),
    "instants, not wall clocks": (
        f"{_HERE}days.py::test_days_of_23_24_and_25_hours_are_taken_in_every_zone_and_an_hour_more_is_not",
        _set(intervals, "epoch_seconds", lambda moment: moment.str.slice(0, 19).str.to_datetime().dt.epoch("s")),
    ),
    "keys are moments": (
        f"{_HERE}days.py::test_the_hour_that_comes_twice_is_two_hours",
        lambda patch: patch.setattr(file_check, "Keys", lambda key, folder: Keys(
            [pl.col("ForecastStartTime").str.slice(0, 19)], folder)),
    ),
    "UTC on every machine": (
        f"{_HERE}days.py::test_a_business_date_does_not_depend_on_the_zone_of_the_machine",
        lambda patch: patch.setattr(receive, "_business_at", partial(_local, receive._business_at)),
    ),
    "business dates do not come from our clock": (
        f"{_HERE}days.py::test_a_clock_that_steps_loses_nothing_and_sends_nothing_twice",
        lambda patch: patch.setattr(receive, "_business_at", lambda *_: next(_BACKWARDS)),
    ),
    "older epochs become doubts": (
        f"{_HERE}upgraded.py::test_what_was_under_way_when_the_code_was_upgraded_is_finished_and_sent_once",
        _set(parcels, "doubt_older_epochs", lambda tx, lease: None),
    ),
    "what is known after an upgrade": (
        f"{_HERE}upgraded.py::test_files_taken_before_an_upgrade_are_known_after_it",
        _NOTHING_IS_KNOWN,
    ),
    "a backfill resends nothing": (
        f"{_HERE}again.py::test_overlapping_backfills_of_settled_days_send_nothing",
        lambda patch: patch.setattr(Work, "resend", property(lambda self: "all"), raising=False),
    ),
    "a file is taken once": (
        f"{_HERE}again.py::test_overlapping_backfills_make_their_days_whole_once",
        _NOTHING_IS_KNOWN,
    ),
}  # fmt: skip


def _without_md5(real: Any, operation: Any, wanted: dict[str, Any], condition: dict[str, str]) -> Any:
    return real(operation, {name: each for name, each in wanted.items() if name != "ContentMD5"}, condition)


def _local(real: Any, *arguments: Any) -> float:
    return float(datetime.fromtimestamp(real(*arguments)).replace(tzinfo=UTC).timestamp())  # noqa: DTZ006
