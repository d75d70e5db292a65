"""The proof by search: every schedule of two workers on small worlds, the same code with one safeguard taken out, and
longer stories drawn by Hypothesis."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from tests.faults.line import Line
from tests.faults.search.catalogue import PLANS, WITNESSES, Plan
from tests.faults.search.explore import Search, Tally
from tests.faults.search.invariants import Violation
from tests.faults.search.killed import sweep
from tests.faults.search.rig import by_hand
from tests.faults.search.shared import shared
from tests.faults.search.stateful import Opened, in_memory, tell
from tests.faults.search.worlds import begun
from tests.faults.variants import OF_FILES, without
from tests.postgres import find_binaries

Say = Callable[[str], None]

PROCESSES = 2
COLUMNS = {"lost": ("I1", "I2"), "duplicated": ("I3",), "left_open": ("I9", "I10")}


def prove_interleavings(policies: Iterable[str] = PLANS, limit: int | None = None, say: Say = print) -> list[Line]:
    """Searches the worlds of these policies, two at a time.

    Args:
        limit: of schedules in each world; None: all there are to its depth.
    """
    places = [(policy, number) for policy in policies for number in range(len(PLANS[policy]))]
    lines = []
    with ProcessPoolExecutor(PROCESSES) as pool:
        for line in pool.map(partial(_searched, limit=limit), places):
            say(f"{line.fault}: {line.tried:,} schedules, {line.note}")
            lines.append(line)
    return lines


def prove_variants(say: Say = print) -> list[Line]:
    """Searches the protocol without one safeguard, for each of them, up to the first violation."""
    lines = []
    for name, plan in WITNESSES.items():
        tried, caught = _caught(name, plan)
        say(f"{name}: {caught or 'NOT CAUGHT'}")
        lines.append(Line("variants", name, tried, caught=caught, note=f"({plan.world.policy}: {plan.world.name})"))
    for name in OF_FILES:
        with without(name):
            line = _swept(name)
        say(f"{name}: {line.note or 'NOT CAUGHT'}")
        lines.append(Line("variants", name, line.tried, caught=line.note, note="(a chain of files, killed)"))
    return lines


def prove_chain(say: Say = print) -> list[Line]:
    """Kills a chain of files, in this process, at each of its transactions and calls."""
    line = _swept("a chain of files, killed at each transaction and call")
    say(f"{line.fault}: {line.tried} points {line.note}")
    return [line]


def _swept(fault: str) -> Line:
    """What a sweep came to; its note says which invariant was broken, if one was."""
    try:
        return Line("kills", fault, sweep())
    except Violation as violation:
        return Line("kills", fault, 1, note=str(violation), **_broken(violation.invariant.split()[0]))


def prove_stateful(examples: int = 500, say: Say = print) -> list[Line]:
    """Tells so many stories on SQLite, and a third of them on PostgreSQL where it is installed."""
    lines = [_told("on SQLite", examples, in_memory, say)]
    if find_binaries() is not None:
        with shared() as book:
            lines.append(_told("on PostgreSQL", examples // 3, book.emptied, say))
    return lines


def _told(where: str, examples: int, opened: Opened, say: Say) -> Line:
    started, note, name = time.monotonic(), "", ""
    try:
        tell(examples, opened)
    except Violation as violation:
        note, name = str(violation), violation.invariant.split()[0]
    say(f"stories {where}: {examples}, {time.monotonic() - started:.0f} s {note}")
    return Line("stateful", f"stories {where}", examples, note=note, **_broken(name))


def _broken(invariant: str) -> dict[str, int]:
    """In which column of the table a violation counts; in none when there is none."""
    column = next((name for name, those in COLUMNS.items() if invariant in those), "torn")
    return {column: 1} if invariant else {}


def _searched(place: tuple[str, int], limit: int | None) -> Line:
    """One world, by its place in the catalogue, in a process of its own."""
    policy, number = place
    plan, started = PLANS[policy][number], time.monotonic()
    world = plan.world
    broken: Violation | None = None
    with by_hand(), begun(world) as ready:
        search = Search(ready, plan.depth, plan.troubles, plan.known_from, limit)
        try:
            search.run()
        except Violation as violation:
            broken = violation
    note = str(broken) if broken else _figures(plan, search.tally, time.monotonic() - started)
    name = broken.invariant.split()[0] if broken else ""
    fault = f"{world.policy}: {world.name}"
    return Line("interleavings", fault, search.tally.schedules, note=note, **_broken(name))


def _figures(plan: Plan, tally: Tally, seconds: float) -> str:
    covered = f", {tally.covered:,} covered by known states" if plan.known_from else ""
    return (
        f"{plan.depth} steps deep, {plan.troubles} troubles, {tally.steps:,} steps, {tally.states:,} states, "
        f"{tally.endings:,} endings{covered}, {seconds:.0f} s"
    )


def _caught(name: str, plan: Plan) -> tuple[int, str]:
    """How many schedules it took, and which invariant noticed; nothing when none did."""
    with by_hand(), begun(plan.world) as ready, without(name):
        search = Search(ready, plan.depth, plan.troubles, plan.known_from)
        try:
            search.run()
        except Violation as violation:
            return search.tally.schedules, violation.invariant
    return search.tally.schedules, ""
