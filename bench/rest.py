"""100,000 acknowledgements, a call for each, beside stock HttpOperator and a bare aiohttp loop.

    python bench/rest.py

Ours are the bricks `Take` and `Send` of the flow of enrollment acknowledgements: file read, checked and staged, every
call noted in the ledger before and after the wire. The flow has two senders, each a process of its own, that share the
file; together they have as many calls in flight as the loop. The peers check and note nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from functools import partial

from files import write_acks
from peers import need
from places import Place, brick, place, together
from side import Bar, Run, alternating, of_process, ratio, tell

FLOW, FOLDER = "ouai_dacs_enrollment_ack", "outgoing/ack"
NAME = "ENROLL_ACK_20260714T060000Z_1.csv"
PATH = "/rest/apis/common/sync/syncRequest/"
SOURCE = {"s3://ouai_objects/ouai/outgoing/ack": f"sftp://ouai_files/{FOLDER}"}
STOCK_CALLS = 5_000
LONG_PAIRS = 3  # ours takes a little longer than what is run five times, and one run may be a tenth off
AT_ONCE, LATER = 32, 64
IN_FLIGHT = "in_flight = 16                      # of one sender: DACS meets 32 at once\nsenders = 2"


def ours(on: Place, rows: int, in_flight: int, senders: int) -> Run:
    """Takes the file and sends its rows; the time is that of the bricks, without the start of their processes."""
    settings = {IN_FLIGHT: f"in_flight = {in_flight // senders}\nsenders = {senders}"}
    with replace(on, settings=on.settings | settings).home() as env:
        taken = brick("take", FLOW, NAME, env=env, work=rows)
        sent = together(senders, FLOW, env, rows)
    assert (calls := on.told()["calls"]) == rows, f"{calls} calls for {rows} rows"
    seconds = max(run.seconds for run in sent)
    return Run(
        taken.seconds + seconds, rows, taken.cpu_seconds + sum(run.cpu_seconds for run in sent),
        max(run.megabytes for run in (taken, *sent)), {"take": taken.seconds, "send": seconds},
    )  # fmt: skip


def bare(on: Place, rows: int, in_flight: int) -> Run:
    run = of_process(
        [
            sys.executable,
            "bench/bare.py",
            f"http://127.0.0.1:{on.target_port}{PATH}",
            "PATCH",
            str(rows),
            str(in_flight),
        ],
        rows,
    )
    assert on.told()["calls"] == rows
    return run


def stock(on: Place, rows: int) -> Run:
    connection = {"conn_type": "http", "host": "127.0.0.1", "port": on.target_port, "schema": "http"}
    env = {"AIRFLOW_CONN_HTTP_DEFAULT": json.dumps(connection), "AIRFLOW_HOME": str(on.folder / "airflow")}
    run = of_process([sys.executable, "bench/stock.py", "calls", str(rows)], rows, env)
    assert on.told()["calls"] == rows
    return run


def wrk(on: Place, in_flight: int) -> Run:
    """The most that the target can answer on this machine."""
    run = of_process(["wrk", "-t1", f"-c{in_flight}", "-d5", f"http://127.0.0.1:{on.target_port}{PATH}1"], 1)
    calls = on.told()["calls"]
    return Run(5.0, calls, run.cpu_seconds, run.megabytes)


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", type=int, default=100_000)
    options.add_argument("--pairs", type=int, default=5)
    given = options.parse_args()
    need("wrk", "/usr/sbin/sshd")
    runs: dict[str, list[Run]] = {}
    with place(0.0, SOURCE) as on:
        write_acks(on.lay(FOLDER, NAME), given.rows)
        runs |= alternating({
            "drbridge, 2 senders of 16": partial(ours, on, given.rows, AT_ONCE, 2),
            "aiohttp, 32 in flight": partial(bare, on, given.rows, AT_ONCE),
            "HttpOperator": partial(stock, on, STOCK_CALLS),
        }, given.pairs, min(LONG_PAIRS, given.pairs + 1))  # fmt: skip
        runs |= {
            "drbridge, 1 sender of 32": [ours(on, given.rows, AT_ONCE, 1)], "wrk (limit)": [wrk(on, AT_ONCE)],
        }  # fmt: skip
    with place(0.020, SOURCE) as on:
        write_acks(on.lay(FOLDER, NAME), given.rows)
        runs |= alternating({
            "drbridge, 2 senders of 32, 20 ms": partial(ours, on, given.rows, LATER, 2),
            "drbridge, 1 sender of 64, 20 ms": partial(ours, on, given.rows, LATER, 1),
            "aiohttp, 64 in flight, 20 ms": partial(bare, on, given.rows, LATER),
        }, given.pairs)  # fmt: skip
    two, loop, stock_runs, one, _, two_later, one_later, loop_later = runs.values()
    what, later = f"{given.rows:,} acks one by one", f"{given.rows:,} acks one by one, 20 ms each"
    alone = f"one sender alone: {ratio(one, loop):.2f} of the loop, {ratio(one_later, loop_later):.2f} at 20 ms"
    note = f"of drbridge's time, taking the file: {two[0].told['take']:.1f} s, sending: {two[0].told['send']:.1f} s"
    return tell("rest", "calls", runs, [
        Bar(11, what, f"HttpOperator.execute in a loop of {STOCK_CALLS:,}", ratio(two, stock_runs), 10),
        Bar(12, what, "a bare aiohttp loop, 32 in flight as ours together", ratio(two, loop), 0.5),
        Bar(13, later, "a bare aiohttp loop, 64 in flight as ours together", ratio(two_later, loop_later), 0.85),
    ], (note, alone))  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
