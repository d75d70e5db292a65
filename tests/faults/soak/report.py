"""The soak's report: a page for people, written anew after every round."""

from __future__ import annotations

import os
import platform
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.faults.soak.rounds import WHOLE_WITHIN_SECONDS, Round
from tests.faults.soak.stage import CHECKOUT
from tests.faults.soak.verdict import KINDS

HEAD = """# The soak

Days of demand response, one after the other, on a real Airflow (LocalExecutor) whose database and our ledger are on
PostgreSQL with fsync on. While a day is carried, faults hit everything around it; what, and when, is drawn from the
seed. Then nothing is touched: within {limit:.0f} seconds everything posted by then must be whole without a hand, and
each later act of the day within {limit:.0f} seconds of its posts; the table has the longest time of each day. Whole
means that the other systems hold what they must, each effect once; every source has its last name; no delivery is
open; all books of the ledger balance. The ledger lives for the whole soak; the other systems forget each day when it
has been judged, ten seconds after it was whole and once more compared. This page is written by the command below.
"""
DRAWN = """
Not drawn are refusals (4xx, an error inside a 200), redirects and revoked rights: by rule they end in REJECTED, or wait
for a person. `error_in_200` hits the health check alone. Airflow's processes are started again by a supervisor two
seconds after they end, as systemd or Docker would; senders post a message again until they are told that it is safe.
The idle workers of a killed scheduler live on beside the new one, as they do where no control group ends them; their
memory is a column of its own.
"""

MOST_TEXTS, LONGEST_TEXT = 8, 200
FOUND = """
## What soaks have found

**26 November 2026, seed 72974, commit a8d32c5, seven days in 66 minutes.** On day 5 the scheduler was killed while it
held a row of a run of `resume` locked. Its idle workers lived on and kept its connection to PostgreSQL, and so the
lock: that run never ended, the next could not begin, and for eleven minutes no flow was woken. The soak, which then
waited for five minutes only, gave the day up and did not post the rest of its messages: that is what its table calls
lost. 375 outcomes took effect, each once, when the other systems had gone on to day 6, as strangers there;
acknowledgements of requests that DACS had forgotten meanwhile were refused and their file held, until a person refused
it during day 7.

Mended: PostgreSQL ends a transaction in which nothing happens for a minute (`docker-compose.yaml`; the running soak's
from day 6 on), the ledger ends its own after two, and `resume` starts beside a run that died. The soak now waits for a
late day before it goes on, and holds each act to the limit.

Memory, sampled each minute from day 3 on: Airflow's own processes 1.3 GB on average in the first twenty minutes, 1.4 GB
in the last fifteen; 26 idle workers of killed schedulers took another 1.4 GB.

**The same day, seed 546375, commit ec00b7a, fourteen days in two hours, 153 faults: nothing.** The long proof, tests
and a demo ran beside it at idle priority, so that the two cores were never free and never all its own.
"""


def commit() -> str:
    """What is checked out."""
    return _output("git", "rev-parse", "--short=12", "HEAD")


def write(path: Path, rounds: Sequence[Round], seed: int, seconds: float, asked: int, commit: str) -> None:
    """Writes the page.

    Args:
        commit: that was checked out when the soak began.
        seconds: that the soak has taken.
        asked: that it was asked to take.
    """
    path.write_text("\n".join(_lines(rounds, seed, seconds, asked, commit)) + "\n", encoding="utf-8")


def _lines(rounds: Sequence[Round], seed: int, seconds: float, asked: int, commit: str) -> Iterator[str]:
    yield HEAD.format(limit=WHOLE_WITHIN_SECONDS)
    yield f"    python -m tests.faults.soak --seconds {asked} --seed {seed}\n"
    yield from _table(("", ""), _facts(rounds, seconds, commit))
    yield "\n## Faults drawn"
    yield DRAWN
    drawn = Counter(name for each in rounds for name, _ in each.faults)
    yield from _table(("fault", "times"), [(name, str(count)) for name, count in sorted(drawn.items())])
    yield "\n## Rounds\n"
    head = (
        "round",
        "day",
        "devices",
        "faults",
        "rows",
        "effects",
        *KINDS,
        "whole after, s",
        "took, s",
        "Airflow, MB",
        "left behind, MB",
    )
    yield from _table(head, [_cells(each) for each in rounds])
    yield "\n## What happened when\n"
    for each in rounds:
        yield f"* Round {each.number}: " + "; ".join(text for _, text in each.faults) + "."
        yield from (f"    * {text:.{LONGEST_TEXT}}" for text in each.verdict.texts[:MOST_TEXTS])
    yield FOUND


def _facts(rounds: Sequence[Round], seconds: float, commit: str) -> Iterator[tuple[str, str]]:
    whole = [each.whole_after for each in rounds if each.whole_after is not None]
    total = sum((each.verdict.counts for each in rounds), Counter[str]())
    yield "verdict", "every day came right" if all(each.good for each in rounds) else "NOT every day came right"
    yield "commit", commit
    yield "machine", f"{os.cpu_count()} cores, {_memory()}, {platform.system()} {platform.release()}"
    yield "took", f"{seconds:.0f} s, {len(rounds)} days, {sum(each.good for each in rounds)} of them right"
    yield "faults", str(sum(len(each.faults) for each in rounds))
    yield "rows", f"{sum(each.rows for each in rounds):,}"
    yield "effects compared", f"{sum(each.effects for each in rounds):,}"
    yield "parcels", ", ".join(f"{n:,} {state}" for state, n in sum((each.ends for each in rounds), Counter()).items())
    yield from ((kind, f"{total[kind]:,}") for kind in KINDS)
    if whole:
        yield "whole again after", f"{min(whole):.0f} to {max(whole):.0f} s, half of them within {_median(whole):.0f} s"
        yield (
            "memory of Airflow's processes (PSS)",
            f"{rounds[0].megabytes[0]:.0f} MB first, {rounds[-1].megabytes[0]:.0f} last",
        )


def _cells(each: Round) -> tuple[str, ...]:
    whole = "never" if each.whole_after is None else f"{each.whole_after:.0f}"
    counts = (each.verdict.counts[kind] for kind in KINDS)
    numbers = (each.devices, len(each.faults), each.rows, each.effects, *counts)
    return (
        str(each.number),
        str(each.day),
        *map(str, numbers),
        whole,
        f"{each.seconds:.0f}",
        *(f"{size:.0f}" for size in each.megabytes),
    )


def _table(head: Sequence[str], rows: Iterator[tuple[str, ...]] | Sequence[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield "|" + "---|" * len(head)
    yield from (f"| {' | '.join(row)} |" for row in rows)


def _median(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]


def _memory() -> str:
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"


def _output(*command: str) -> str:
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"
