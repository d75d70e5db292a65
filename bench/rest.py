"""100,000 acknowledgements, a call for each, beside stock HttpOperator and a bare aiohttp loop.

    python bench/rest.py

Ours are the bricks `Take` and `Send` of the flow of enrollment acknowledgements: file read, checked and staged, every
call noted in the ledger before and after the wire. The peers check and note nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
from functools import partial

from files import write_acks
from peers import need
from places import Place, brick, place
from side import Bar, Run, alternating, of_process, ratio, tell

FLOW, FOLDER = "ouai_dacs_enrollment_ack", "outgoing/ack"
NAME = "ENROLL_ACK_20260714T060000Z_1.csv"
PATH = "/rest/apis/common/sync/syncRequest/"
SOURCE = {"s3://ouai_objects/ouai/outgoing/ack": f"sftp://ouai_files/{FOLDER}"}
STOCK_CALLS = 5_000


def ours(on: Place, rows: int) -> Run:
    """Takes the file and sends its rows; the time is that of both bricks."""
    with on.home() as env:
        taken = brick("take", FLOW, NAME, env=env, work=rows)
        sent = brick("send", FLOW, env=env, work=rows)
    assert (calls := on.told()["calls"]) == rows, f"{calls} calls for {rows} rows"
    return Run(
        taken.seconds + sent.seconds, rows, taken.cpu_seconds + sent.cpu_seconds, max(taken.megabytes, sent.megabytes),
        {"take": taken.seconds, "send": sent.seconds},
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
        in_flight = 16
        at_once = alternating({
            "drbridge": partial(ours, on, given.rows),
            f"aiohttp, {in_flight} in flight": partial(bare, on, given.rows, in_flight),
        }, given.pairs)  # fmt: skip
        one_by_one = [stock(on, STOCK_CALLS)]
        runs |= at_once | {"HttpOperator": one_by_one, "wrk (limit)": [wrk(on, in_flight)]}
    with place(0.020, SOURCE | {IN_FLIGHT[0]: IN_FLIGHT[1]}) as on:
        write_acks(on.lay(FOLDER, NAME), given.rows)
        later = alternating({
            "drbridge, 20 ms": partial(ours, on, given.rows),
            "aiohttp, 64 in flight, 20 ms": partial(bare, on, given.rows, 64),
        }, given.pairs)  # fmt: skip
        runs |= later
    mine, loop = at_once.values()
    mine_later, loop_later = later.values()
    what = f"{given.rows:,} acks one by one"
    note = f"of drbridge's time, taking the file: {mine[0].told['take']:.1f} s, sending: {mine[0].told['send']:.1f} s"
    return tell("rest", "calls", runs, [
        Bar(11, what, f"HttpOperator.execute in a loop of {STOCK_CALLS:,}", ratio(mine[:1], one_by_one), 10),
        Bar(12, what, f"a bare aiohttp loop, {in_flight} in flight", ratio(mine, loop), 0.5),
        Bar(13, f"{what}, 20 ms each", "a bare aiohttp loop, 64 in flight", ratio(mine_later, loop_later), 0.85),
    ], (note,))  # fmt: skip


IN_FLIGHT = (
    'reason = "a sync request already final answers 400 duplicate, which counts as done"\nin_flight = 16\n\n'
    "[endpoints.dacs_sync_request_message]",
    'reason = "a sync request already final answers 400 duplicate, which counts as done"\nin_flight = 64\n\n'
    "[endpoints.dacs_sync_request_message]",
)

if __name__ == "__main__":
    sys.exit(main())
