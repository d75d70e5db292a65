"""How long `drbridge trace` takes where millions of rows were delivered, for every kind of key.

    python bench/trace.py --rows 10000000

Builds a ledger and a staging area (device scores, event outcomes, kWh avoided, enrollment acknowledgements with a
parcel for each row, and messages), then runs the command several times for each kind of key, each time as a process of
its own. Fails when the slowest run takes 2 seconds or more, or when what is there is not found. With --folder what was
built stays there, and is measured again without being built again.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import delivered

from drbridge.adapters.here import open_desk

MOST_SECONDS = 2.0
ABSENT = "no such key"
BUILT = "built.json"


@dataclass(frozen=True)
class Look:
    """One kind of key, measured.

    Attributes:
        found: entries the command told.
        cpu: the least seconds of a processor that a run took; on a busy machine this is what counts.
    """

    kind: str
    key: str
    found: int
    seconds: tuple[float, ...]
    cpu: float

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def wrong(self) -> str:
        """What is not as it must be; nothing when all is well."""
        if max(self.seconds) >= MOST_SECONDS:
            return f"{self.kind}: {max(self.seconds):.2f} s, less than {MOST_SECONDS:.0f} are asked for"
        return "" if (self.found > 0) == (self.key != ABSENT) else f"{self.kind}: {self.found} entries were told"


def keys(rows: int, messages: int) -> dict[str, str]:
    """A key of every kind, from the middle of what was drawn."""
    which = messages // 10
    ids = delivered.device_ids(which)
    return {
        "device": ids["device"], "NIC": ids["nic"], "service point": ids["point"], "enrollment": ids["enrollment"],
        "sync request, of a file": f"{rows // 200:014d}", "sync request, of a message": f"9{which * 5:013d}",
        "event": delivered.event(20), "message": f"OO-{which * 5 + 1}", "none": ABSENT,
    }  # fmt: skip


def built(folder: Path, rows: int, messages: int) -> dict[str, Any]:
    """What was built in the folder, now or before."""
    note = folder / BUILT
    if note.exists():
        told: dict[str, Any] = json.loads(note.read_text())
        return told
    started = time.perf_counter()

    def say(what: str) -> None:
        print(f"{time.perf_counter() - started:6.0f} s  {what}", flush=True)

    desk = delivered.folders_for_sources(open_desk())
    delivered.build(desk, rows, messages, say)
    told = {"rows": rows, "messages": messages, "seconds": round(time.perf_counter() - started)}
    told |= delivered.totals(desk)
    desk.ledger.close()
    note.write_text(json.dumps(told))
    return told


def sizes(folder: Path) -> dict[str, int]:
    """How much is on the disk, in MB."""
    found = {
        "ledger": delivered.bytes_under(folder, "ledger.db*"),
        "staging": delivered.bytes_under(folder / "staging"),
        "of it index": delivered.bytes_under(folder / "staging", "*.ids.parquet"),
    }
    return {name: round(size / 1e6) for name, size in found.items()}


def measured(kind: str, key: str, times: int) -> Look:
    """Runs the command for one key, several times."""
    runs = [_run(key) for _ in range(times)]
    return Look(kind, key, runs[0][0], tuple(wall for _, wall, _ in runs), min(cpu for _, _, cpu in runs))


def _run(key: str) -> tuple[int, float, float]:
    """How many entries the command told, and the seconds it took: by the clock, and of a processor."""
    command = [str(Path(sys.executable).with_name("drbridge")), "trace", key, "--json"]
    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in (0, 1):
        raise SystemExit(f"drbridge trace {key} ended with {done.returncode}")
    return len(json.loads(done.stdout)), seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> int:
    """Runs the bench and prints a table and one JSON line."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", type=int, default=10_000_000)
    options.add_argument("--messages", type=int, default=100_000)
    options.add_argument("--times", type=int, default=5)
    options.add_argument("--folder", type=Path, help="where it is built, and stays; else in a temporary folder")
    given = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="drbridge-bench-") as temporary:
        folder = (given.folder or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        os.environ["DRBRIDGE_HOME"] = str(folder)
        there = built(folder, given.rows, given.messages)
        megabytes = sizes(folder)
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        _run(ABSENT)  # compiles what was never run here
        looks = [measured(kind, key, given.times) for kind, key in keys(there["rows"], there["messages"]).items()]
    print(", ".join(f"{value:,} {name}" for name, value in there.items()))
    print(", ".join(f"{name} {size:,} MB" for name, size in megabytes.items()))
    print(f"{'':28}{'entries':>8}{'median s':>10}{'max s':>8}{'cpu s':>8}")
    for look in looks:
        print(f"{look.kind:28}{look.found:>8}{look.median:>10.2f}{max(look.seconds):>8.2f}{look.cpu:>8.2f}")
    wrong = [look.wrong for look in looks if look.wrong]
    for each in wrong:
        print(f"WRONG: {each}")
    print(json.dumps({
        "bench": "trace", **there, "megabytes": megabytes, "wrong": wrong,
        "seconds": {
            look.kind: {"median": round(look.median, 2), "max": round(max(look.seconds), 2), "cpu": round(look.cpu, 2)}
            for look in looks
        },
    }))  # fmt: skip
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
