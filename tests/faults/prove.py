"""`make prove`: every part of the proof on two cores, and one table of what was tried and what came of it."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

from tests.faults.cuts import prove_cuts
from tests.faults.kills import prove_kills
from tests.faults.line import Line, table
from tests.faults.safeguards import prove_safeguards
from tests.faults.search import prove_chain, prove_interleavings, prove_stateful, prove_variants

PARTS: dict[str, Callable[[], list[Line]]] = {
    "interleavings": prove_interleavings,
    "kills": prove_kills,
    "cuts": prove_cuts,
    "stateful": prove_stateful,
    "variants": prove_variants,
    "chain": prove_chain,
    "safeguards": prove_safeguards,
}
SIDE_BY_SIDE = (("interleavings",), ("kills",), ("cuts",), ("stateful", "variants", "chain"), ("safeguards",))
"""Most parts use both cores by themselves; those that use one go beside each other."""


def run(name: str) -> tuple[list[Line], float]:
    """One part, and the seconds it took."""
    began = time.monotonic()
    return PARTS[name](), time.monotonic() - began


def lines_of(names: list[str]) -> list[Line]:
    """The lines of parts that go beside each other."""
    if len(names) == 1:
        done = {names[0]: run(names[0])}
    else:
        with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
            done = dict(zip(names, pool.map(run, names), strict=True))
    for name, (lines, seconds) in done.items():
        holds = all(line.holds for line in lines)
        print(f"{name}: {'holds' if holds else 'BROKEN'}, {seconds:.0f} s", flush=True)
        if not holds:
            print(table(lines), flush=True)
    return [line for lines, _ in done.values() for line in lines]


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("parts", nargs="*", default=list(PARTS), help=f"of: {', '.join(PARTS)}")
    names, began = asked.parse_args().parts, time.monotonic()
    if unknown := set(names) - set(PARTS):
        asked.error(f"no part is called {', '.join(sorted(unknown))}")
    groups = [[name for name in group if name in names] for group in SIDE_BY_SIDE]
    lines = [line for group in groups if group for line in lines_of(group)]
    minutes = (time.monotonic() - began) / 60
    print(f"\n{table(lines)}\n\n{minutes:.0f} minutes on {os.cpu_count()} cores")
    return 0 if lines and all(line.holds for line in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
