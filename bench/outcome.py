"""Outcomes of an event to DACS in chunks of 500, by one sender and by four.

    python bench/outcome.py --rows 600000

Ours are the bricks `Take` and `Send` of the flow of event outcomes; DACS takes 300 ms for each chunk. The limit is what
eight requests at a time can carry with nothing else to do: chunks x 0.3 s / 8.
"""

from __future__ import annotations

import argparse
import math
import sys
import time

from files import write_outcomes
from peers import need
from places import Place, brick, place, together
from side import Bar, Run, tell

FLOW, FOLDER = "derms_dacs_event_outcome", "outgoing/outcome"
NAME = "EVENT_OUTCOME_20260714T210000Z_4711.csv"
CHUNK_ROWS, CALL_SECONDS, IN_FLIGHT, SENDERS = 500, 0.3, 8, 4


def ours(on: Place, rows: int, accepted: int) -> Run:
    """Takes the file and sends its rows; the time is that of both bricks."""
    with on.home() as env:
        taken = brick("take", FLOW, NAME, env=env, work=rows)
        sent = brick("send", FLOW, env=env, work=rows)
    told = on.told()
    assert told["rows"] == accepted, f"{told['rows']} rows came for {accepted} accepted"
    return Run(
        taken.seconds + sent.seconds, rows, taken.cpu_seconds + sent.cpu_seconds, max(taken.megabytes, sent.megabytes),
        {"take": taken.seconds, "send": sent.seconds, "calls": told["calls"]},
    )  # fmt: skip


def shared(on: Place, rows: int, accepted: int) -> Run:
    """Takes the file in one process, and sends its rows with four."""
    with on.home() as env:
        taken = brick("take", FLOW, NAME, env=env, work=rows)
        started = time.perf_counter()
        sent = together(SENDERS, FLOW, env, rows)
    told = on.told()
    assert told["rows"] == accepted, f"{told['rows']} rows came for {accepted} accepted"
    assert sum(run.told["result"]["acked"] for run in sent) == accepted
    seconds = told["seconds"] + CALL_SECONDS
    print(f"  four senders: {seconds:.1f} s of {time.perf_counter() - started:.1f} s with their start", file=sys.stderr)
    return Run(
        taken.seconds + seconds, rows, taken.cpu_seconds + sum(run.cpu_seconds for run in sent),
        max(run.megabytes for run in sent), {"take": taken.seconds, "send": seconds, "calls": told["calls"]},
    )  # fmt: skip


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", type=int, default=600_000)
    given = options.parse_args()
    need("/usr/sbin/sshd")
    with place(CALL_SECONDS, {}) as on:
        drawn = write_outcomes(on.lay(FOLDER, NAME), given.rows)
        run = ours(on, given.rows, drawn.accepted)
        run_of_four = shared(on, given.rows, drawn.accepted)
    limit = math.ceil(drawn.accepted / CHUNK_ROWS) * CALL_SECONDS / IN_FLIGHT
    what = f"{given.rows:,} outcome rows in chunks of {CHUNK_ROWS}, 300 ms each, {IN_FLIGHT} in flight, check included"
    note = (
        f"taking the file: {run.told['take']:.1f} s, sending: {run.told['send']:.1f} s in {run.told['calls']:,} calls"
    )
    return tell("outcome", "rows", {"drbridge, one sender": [run], "drbridge, four senders": [run_of_four]}, [
        Bar(14, what, f"{limit:.1f} s, that is chunks x 0.3 s / 8", run.seconds / limit, 1.15, is_most=True),
        Bar(14, "the same, peak memory in MB", "400", run.megabytes, 400, is_most=True),
        Bar(15, "sending with 4 senders of 8 in flight", "one", run.told["send"] / run_of_four.told["send"], 3),
    ], (note,))  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
