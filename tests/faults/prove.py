"""`make prove`: every part of the proof, two at a time, and one table of what was tried and what came of it."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial

from tests.faults.cuts import prove_cuts
from tests.faults.kills import prove_kills
from tests.faults.line import Line, table
from tests.faults.safeguards import prove_safeguards
from tests.faults.search import prove_interleavings, prove_stateful, prove_variants

AT_ONCE = 2
EXAMPLES = 400

PARTS: dict[str, Callable[[], list[Line]]] = {
    "interleavings query": partial(prove_interleavings, ("query",)),
    "interleavings resend": partial(prove_interleavings, ("resend",)),
    "interleavings park": partial(prove_interleavings, ("park",)),
    "kills": prove_kills,
    "cuts": prove_cuts,
    "stateful": partial(prove_stateful, EXAMPLES),
    "variants": prove_variants,
    "safeguards": prove_safeguards,
}


def run(name: str) -> tuple[list[Line], float]:
    """One part, and the seconds it took."""
    began = time.monotonic()
    return PARTS[name](), time.monotonic() - began


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("parts", nargs="*", default=list(PARTS), help=f"of: {', '.join(PARTS)}")
    names, began = asked.parse_args().parts, time.monotonic()
    if unknown := set(names) - set(PARTS):
        asked.error(f"no part is called {', '.join(sorted(unknown))}")
    found: dict[str, list[Line]] = {}
    with ProcessPoolExecutor(AT_ONCE, multiprocessing.get_context("spawn")) as pool:
        running = {pool.submit(run, name): name for name in names}
        for done in as_completed(running):
            name, (lines, seconds) = running[done], done.result()
            found[name] = lines
            print(f"{name}: {'holds' if all(line.holds for line in lines) else 'BROKEN'}, {seconds:.0f} s", flush=True)
    lines = [line for name in names for line in found[name]]
    print(f"\n{table(lines)}\n\n{(time.monotonic() - began) / 60:.0f} minutes on {os.cpu_count()} cores")
    return 0 if lines and all(line.holds for line in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
