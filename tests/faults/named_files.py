"""The faults of files and stores, in words, and the test that each of them has."""

from __future__ import annotations

_HERE = "tests/faults/test_files_"
_CHANGES = f"{_HERE}changing.py::test_a_file_that_changes_while_it_is_read_is_not_taken_and_goes_once_it_is_whole"

FAULTS: dict[str, str] = {
    "half-written file": f"{_HERE}changing.py::test_a_half_written_file_is_not_taken_however_long_it_takes_to_grow",
    "file that grows between two looks": f"{_HERE}changing.py::test_a_file_that_grows_between_two_looks_is_not_taken",
    "file that is cut while it is read": _CHANGES,
    "file that grows while it is read": _CHANGES,
    "file that is rotated while it is read": _CHANGES,
    "file that is renamed while it is read": _CHANGES,
    "file that goes away while it is read": _CHANGES,
    "file that is rewritten between two looks, size and time unchanged":
        f"{_HERE}changing.py::test_a_file_rewritten_between_two_looks_is_not_taken_though_size_and_time_stay",
    "object that is replaced while it is read":
        "tests/stores/test_exam.py::test_a_file_that_changes_while_it_is_read_is_unstable",
    "slow content server": f"{_HERE}changing.py::test_a_slow_server_gives_the_whole_file",
    "same name, other content": f"{_HERE}identity.py::test_the_same_name_with_other_content_is_another_file",
    "other name, same content":
        f"{_HERE}identity.py::test_another_name_with_the_same_content_makes_no_call_and_is_put_away",
    "same size and time, other content":
        f"{_HERE}identity.py::test_the_same_name_size_and_time_with_other_content_is_another_file",
    "time of a file in the past or the future": f"{_HERE}identity.py::test_a_file_of_any_time_goes_once",
    "files of the same second, or older than what is settled":
        f"{_HERE}identity.py::test_files_older_than_one_that_is_settled_are_not_passed_over",
    "time of a file in another time zone":
        f"{_HERE}identity.py::test_a_file_whose_time_changes_and_content_does_not_makes_no_call",
    "gone between list and open":
        f"{_HERE}changing.py::test_a_file_that_went_between_list_and_open_is_no_error_and_stops_no_other",
    "gone between list and take":
        "tests/flows/test_run_again.py::test_a_file_that_vanishes_between_list_and_take_is_no_error",
    "renamed between list and open":
        f"{_HERE}changing.py::test_a_file_renamed_between_list_and_open_goes_once_under_its_new_name",
    "replaced under the renaming":
        "tests/flows/test_verdicts.py::test_a_file_that_slips_in_under_the_renaming_is_taken_even_if_its_name_is_taken_again",
    "two tasks publish one object": "tests/stores/test_exam.py::test_of_two_racing_uploads_one_wins",
    "two tasks publish one object in a store without conditional writes":
        f"{_HERE}published.py::test_of_two_workers_with_one_file_one_publishes_and_the_other_finds_it_busy",
    "two files want one object name in a store without conditional writes":
        f"{_HERE}published.py::test_two_files_that_want_one_object_name_do_not_overwrite_each_other",
    "publisher held up past its lease in a store without conditional writes":
        f"{_HERE}published.py::test_a_worker_held_up_past_its_leases_and_the_one_after_it_leave_one_whole_object",
    "store without conditional writes": f"{_HERE}published.py::test_a_store_without_conditional_writes_is_found_out",
    "older file after newer":
        "tests/flows/test_run_again.py::test_the_older_file_after_the_newer_one_changes_nothing_that_the_newer_said",
    "Error- file renamed back":
        "tests/flows/test_run_again.py::test_a_refused_file_ends_as_error_and_is_judged_anew_when_it_gets_its_name_back",
    "Error- file renamed back, read by several":
        "tests/flows/test_resend.py::test_a_name_given_back_asks_once_however_often_the_file_is_read",
    "day without a file":
        "tests/unit/exchange/test_notices.py::test_a_day_without_a_file_is_told_once_and_a_day_with_one_is_not",
    "file with a header and no rows":
        f"{_HERE}rows.py::test_days_without_a_row_are_settled_each_for_itself_without_a_call",
    "conflicting duplicates":
        f"{_HERE}rows.py::test_rows_that_contradict_each_other_are_set_aside_with_both_lines_and_the_rest_goes",
    "gz or zip cut at every 64th byte":
        f"{_HERE}packed.py::test_a_packed_file_cut_at_every_64th_byte_is_refused_and_gives_no_row",
    "gz cut on its way to a service": f"{_HERE}packed.py::test_no_row_of_a_cut_file_goes_and_all_of_the_whole_file_do",
    "gz and zip bombs": f"{_HERE}packed.py::test_a_bomb_is_refused_in_flat_memory",
    "disk full: staging": f"{_HERE}disk.py::test_a_full_staging_disk_is_told_and_the_file_goes_once_there_is_room",
    "disk full: ledger, at taking": f"{_HERE}disk.py::test_a_full_ledger_is_told_and_nothing_is_taken_in_half",
    "disk full: ledger, between send and note":
        f"{_HERE}disk.py::test_a_ledger_that_fills_up_between_send_and_note_sends_nothing_twice",
    "disk full: content server": f"{_HERE}disk.py::test_a_full_content_server_is_told_and_keeps_no_half_file",
    "disk full: folder of the inbox":
        "tests/stores/test_inbox_folders.py::test_a_full_disk_is_unreachable_and_leaves_nothing",
    "disk full: posted file": "tests/inbox/test_files.py::test_a_full_disk_is_503_and_leaves_nothing_half",
    "all rows of a chunk file refused":
        f"{_HERE}rows.py::test_a_file_of_which_every_row_is_refused_is_held_after_three_chunks",
    "one poison record among 1,000": f"{_HERE}rows.py::test_of_a_thousand_records_one_poisoned_the_other_999_go",
    "backlog after three days": f"{_HERE}rows.py::test_the_backlog_of_three_days_goes_oldest_event_first",
    "backlog larger than a run holds":
        f"{_HERE}rows.py::test_a_run_takes_no_more_of_a_backlog_than_it_can_hold_the_oldest_first",
    "outcome before reservation":
        f"{_HERE}rows.py::test_an_outcome_that_comes_before_its_reservation_and_stage_goes_and_they_go_after_it",
    "cleared task": f"{_HERE}again.py::test_a_cleared_run_sends_nothing_of_what_is_settled",
    "cleared run": "tests/flows/test_run_again.py::test_a_cleared_run_shows_its_files_under_the_numbers_they_had",
    "cleared run that resends": "tests/flows/test_message_resend.py::test_a_run_that_is_cleared_sends_again_once_only",
    "retry": "tests/flows/test_exam.py::test_again_makes_no_call",
    "overlapping backfills of settled days":
        f"{_HERE}again.py::test_overlapping_backfills_of_settled_days_send_nothing",
    "overlapping backfills of open days": f"{_HERE}again.py::test_overlapping_backfills_make_their_days_whole_once",
    "clock steps": f"{_HERE}days.py::test_a_clock_that_steps_loses_nothing_and_sends_nothing_twice",
    "DST nights, days of 23 and 25 hours, all US zones":
        f"{_HERE}days.py::test_days_of_23_24_and_25_hours_are_taken_in_every_zone_and_an_hour_more_is_not",
    "hour that comes twice": f"{_HERE}days.py::test_the_hour_that_comes_twice_is_two_hours",
    "machine in another time zone":
        f"{_HERE}days.py::test_a_business_date_does_not_depend_on_the_zone_of_the_machine",
    "code upgraded in mid-flight":
        f"{_HERE}upgraded.py::test_what_was_under_way_when_the_code_was_upgraded_is_finished_and_sent_once",
    "code upgraded between take and send": f"{_HERE}upgraded.py::test_files_taken_before_an_upgrade_are_known_after_it",
    "secrets and names in a log: files":
        "tests/flows/test_canaries.py::test_files_with_a_canary_where_none_belongs",
    "secrets and names in a log: rows that a far side repeats":
        "tests/flows/test_canaries.py::test_files_whose_rows_a_far_side_repeats",
    "secrets and names in a log: messages":
        "tests/flows/test_canaries.py::test_messages_that_a_far_side_repeats_in_its_answer",
}  # fmt: skip
"""What goes wrong -> the pytest node id (without parameters) of the test that fails when its safeguard is taken out."""
