"""`python -m tests.faults.soak --seconds 7200`: days under faults on a real Airflow; the report goes to docs/soak.md.

SIGINT or SIGTERM: the round in hand is the last one. The exit code is 1 when a day did not come right.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path
from random import SystemRandom

from tests.faults.soak.report import commit, write
from tests.faults.soak.rounds import Round, live
from tests.faults.soak.stage import CHECKOUT, Stage, say, until_done


def main() -> int:
    """Lives day after day until the time is up."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak")
    parser.add_argument("--seconds", type=int, default=7200, help="no day begins later than this")
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(1_000_000), help="of all that is drawn")
    parser.add_argument("--report", type=Path, default=CHECKOUT / "docs" / "soak.md")
    asked = parser.parse_args()
    say(f"seed {asked.seed}, {asked.seconds} s")
    stop: list[int] = []

    def end_soon(number: int, _: object) -> None:
        stop.append(number)
        say(f"{signal.Signals(number).name}: the round in hand is the last one")

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end_soon)
    begun_with = commit()
    stage, rounds = Stage(CHECKOUT / ".drbridge" / "soak"), list[Round]()
    try:
        stage.set_up()
        started = time.monotonic()
        while not stop and time.monotonic() - started < asked.seconds:
            rounds.append(live(stage, len(rounds) + 1, asked.seed))
            say(str(rounds[-1]))
            write(asked.report, rounds, asked.seed, time.monotonic() - started, asked.seconds, begun_with)
            until_done(stage.forget_the_day)
    finally:
        stage.tear_down()
    return 0 if rounds and all(each.good for each in rounds) else 1


if __name__ == "__main__":
    sys.exit(main())
