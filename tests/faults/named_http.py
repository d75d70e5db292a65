"""The faults of REST sides, tokens, time and processes, in words, each with the test that is named after it."""

from __future__ import annotations

_FAULTS, _FLOWS, _STORES, _UNIT = "tests/faults", "tests/flows", "tests/stores", "tests/unit"
_NO_ANSWER = f"{_FAULTS}/test_answers.py::test_what_gets_no_answer_is_in_doubt_and_takes_effect_once"
_WINDOW = f"{_FAULTS}/test_storms.py::test_nothing_goes_into_the_window_that_a_target_names"

FAULTS: dict[str, str] = {
    "killed between POST and note, policy resend": (
        f"{_FLOWS}/test_message_exam.py::test_killed_between_send_and_note_takes_effect_once"
    ),
    "killed between POST and note, policy query": (
        f"{_FLOWS}/test_stage_sequences.py"
        "::test_killed_between_send_and_note_the_step_is_asked_about_and_not_sent_again"
    ),
    "killed between POST and note, policy park": (
        f"{_FLOWS}/test_run_again.py::test_what_a_killed_worker_had_under_way_is_parked_where_nobody_can_tell"
    ),
    "orphaned twin: it ends with its supervisor": (
        "tests/bricks/test_guard.py::test_a_task_ends_when_its_supervisor_is_killed"
    ),
    "orphaned twin: it lives on, and is fenced": (
        f"{_FAULTS}/test_pauses.py::test_a_twin_that_comes_back_after_the_wire_changes_nothing"
    ),
    "scheduler killed with a task running, on a real Airflow": (
        "tests/slow/test_airflow_killed.py::test_scheduler_and_api_server_killed_in_mid_run"
    ),
    "paused past its lease, policies resend and park": (
        f"{_FAULTS}/test_pauses.py::test_a_worker_stopped_before_the_wire_that_lost_its_lease_sends_nothing"
    ),
    "paused past its lease, policy query": (
        f"{_FAULTS}/test_pauses.py::test_a_worker_stopped_before_the_wire_that_lost_its_lease_creates_no_second_stage"
    ),
    "paused past its lease, and nobody took the lane": (
        f"{_FAULTS}/test_pauses.py::test_a_worker_stopped_past_its_lease_goes_on_when_nobody_took_the_lane"
    ),
    "frozen clock": f"{_FAULTS}/test_pauses.py::test_a_clock_that_stood_still_hides_no_lost_lease",
    "clock steps: our clock is wrong when a date is named": (
        f"{_FAULTS}/test_storms.py::test_a_window_given_as_a_date_is_kept_by_a_worker_whose_clock_is_wrong"
    ),
    "answer lost before or after the target acted": (
        f"{_FLOWS}/test_message_exam.py::test_answer_lost_before_or_after_the_far_side_acted_takes_effect_once"
    ),
    "answer lost, policy query": (
        f"{_FLOWS}/test_stage_sequences.py"
        "::test_a_lost_answer_and_then_nobody_there_the_step_is_asked_about_before_it_goes_again"
    ),
    "storm of 429 or 503 while eight are on the wire": _WINDOW,
    "storm of 429 among the rows of a file": (
        f"{_FAULTS}/test_storms.py::test_rows_of_a_file_keep_out_of_the_window_too"
    ),
    "storm of 503 for longer than all tries": (
        f"{_FLOWS}/test_message_exam.py::test_503_for_longer_than_all_tries_then_back_is_delivered_once"
    ),
    "429 of the token service": f"{_FAULTS}/test_storms.py::test_a_busy_token_service_is_left_alone_too",
    "503 to a question about what is in doubt": (
        f"{_FAULTS}/test_storms.py::test_a_target_that_is_busy_when_it_is_asked_is_left_alone_too"
    ),
    "503 of a health check": f"{_FAULTS}/test_storms.py::test_a_busy_health_check_keeps_the_window_too",
    "429 that names no time": (
        f"{_FAULTS}/test_storms.py::test_a_target_that_is_busy_without_a_window_is_not_hammered"
    ),
    "failures on the wire together": (f"{_FAULTS}/test_storms.py::test_what_fails_together_counts_as_one_failure"),
    "Retry-After in seconds and as a date": (
        f"{_UNIT}/exchange/test_outcomes.py::test_retry_after_is_seconds_or_a_date_and_at_most_a_day"
    ),
    "line cut before or after the target acted": _NO_ANSWER,
    "5xx after the target acted": _NO_ANSWER,
    "token ends in mid-batch with eight on the wire": (
        f"{_FAULTS}/test_tokens.py::test_a_token_that_ends_while_eight_are_on_the_wire_is_fetched_once"
    ),
    "token fetched anew at 80 % of its life": (f"{_STORES}/test_http.py::test_a_token_is_fetched_anew_before_it_ends"),
    "eight want the first token at once": f"{_STORES}/test_http.py::test_eight_callers_fetch_one_token",
    "token service fails in mid-batch": (
        f"{_FAULTS}/test_tokens.py::test_a_token_service_that_fails_in_the_middle_of_a_batch_loses_nothing"
    ),
    "login taken away in mid-batch": (
        f"{_FAULTS}/test_tokens.py::test_a_login_taken_from_us_in_the_middle_of_a_batch_stops_it_and_loses_nothing"
    ),
    "slow-loris: an answer that drips": (
        f"{_FAULTS}/test_answers.py::test_an_answer_that_drips_is_given_up_at_the_deadline"
    ),
    "half-open line": (f"{_FAULTS}/test_answers.py::test_a_line_that_falls_silent_is_given_up_at_the_deadline"),
    "redirect": f"{_FAULTS}/test_answers.py::test_a_redirect_is_not_followed_and_stops_the_endpoint",
    "HTML in the place of an answer": _NO_ANSWER,
    "error inside a 200": f"{_FAULTS}/test_answers.py::test_an_error_inside_a_200_is_a_refusal",
    "answer of a wrong length": _NO_ANSWER,
    "answer that is followed by what nobody asked for": (
        f"{_FAULTS}/test_answers.py::test_what_comes_unasked_after_an_answer_is_not_the_answer_to_the_next_request"
    ),
    "gzip bomb as an answer": f"{_FAULTS}/test_answers.py::test_a_bomb_is_never_unpacked",
    "gzip bomb that is small enough to be unpacked": _NO_ANSWER,
    "answer larger than 5 MB": (
        f"{_STORES}/test_http.py::test_an_answer_of_five_megabytes_is_read_and_a_larger_one_means_lost"
    ),
    "items of a batch shuffled or forgotten in its answer": (
        f"{_FAULTS}/test_batches.py::test_items_that_an_answer_shuffles_or_forgets_decide_nothing"
    ),
    "batch that is partly accepted and refused as a whole": (
        f"{_FAULTS}/test_batches.py::test_a_batch_of_which_the_target_took_a_part_takes_effect_once"
    ),
    "batch with bad rows": f"{_FAULTS}/test_batches.py::test_bad_rows_of_a_batch_are_refused_and_the_others_go",
    "target that forgot its keys": (
        f"{_FAULTS}/test_batches.py::test_a_target_that_forgot_its_keys_is_protected_by_those_of_the_records"
    ),
    "target that forgot its keys, policy query": (
        f"{_FAULTS}/test_batches.py::test_a_stage_is_not_created_twice_by_a_target_that_forgot_its_keys"
    ),
    "conflicting duplicates of a message": (
        "tests/inbox/test_stores_first.py::test_another_body_under_the_same_number_is_refused"
    ),
    "conflicting duplicates of a message at once": (
        "tests/inbox/test_stores_first.py::test_of_two_bodies_under_one_number_at_once_one_is_taken"
    ),
    "outcome before its reservation": (
        f"{_FAULTS}/test_batches.py::test_outcomes_that_come_before_their_reservation_both_arrive"
    ),
    "acknowledgement before its request is known": (
        f"{_FAULTS}/test_acks.py::test_an_acknowledgement_of_what_dacs_does_not_know_yet_can_be_sent_again"
    ),
    "acknowledgement before the answer to its request": (
        f"{_FAULTS}/test_acks.py::test_an_acknowledgement_that_overtakes_the_answer_to_its_request_ends_it_once"
    ),
    "contradictory acknowledgements: yes after no, twice": (
        f"{_FAULTS}/test_acks.py::test_of_acknowledgements_that_contradict_each_other_the_first_counts"
    ),
    "contradictory acknowledgements at once": (
        f"{_FAULTS}/test_acks.py::test_of_two_acknowledgements_that_come_at_once_one_counts"
    ),
    "COMMIT lost, or its reply, before and after the wire": (
        f"{_FAULTS}/test_commits.py::test_a_commit_of_which_nobody_knows_sends_nothing_twice"
    ),
    "COMMIT lost, or its reply, when a message is accepted": (
        f"{_FAULTS}/test_commits.py::test_a_message_whose_commit_nobody_knows_of_is_posted_again_and_goes_once"
    ),
    "COMMIT shared by two callers lost": (
        f"{_FAULTS}/test_commits.py::test_two_callers_learn_the_truth_when_the_commit_they_shared_was_lost"
    ),
    "PostgreSQL gone in the middle of a send and back": (
        f"{_FAULTS}/test_commits.py::test_a_ledger_that_is_gone_in_the_middle_of_a_send_and_back_loses_nothing"
    ),
    "PostgreSQL gone when a message comes": (
        "tests/inbox/test_stores_first.py::test_a_ledger_that_is_away_is_told_and_messages_are_taken_when_it_is_back"
    ),
    "poison record among a thousand": (
        f"{_FAULTS}/test_batches.py::test_one_poison_record_among_a_thousand_keeps_none_of_the_others"
    ),
    "names in a log: messages": f"{_FLOWS}/test_canaries.py::test_messages_that_a_far_side_repeats_in_its_answer",
    "names in a log: files": f"{_FLOWS}/test_canaries.py::test_files_whose_rows_a_far_side_repeats",
    "names in Airflow's own logs and database": (
        "tests/slow/test_airflow_canaries.py::test_nothing_a_message_says_stays_in_airflow"
    ),
    "secrets in a log": f"{_STORES}/test_http.py::test_nothing_of_body_or_login_is_logged",
    "secrets in a log: tokens are told for masking": (f"{_STORES}/test_http.py::test_every_token_is_told_for_masking"),
}
