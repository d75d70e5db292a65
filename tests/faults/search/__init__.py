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
from tests.faults.search.rig import by_hand
from tests.faults.search.worlds import begun
from tests.faults.variants import without

Say = Callable[[str], None]

PROCESSES = 2
LOST, DUPLICATED, LEFT_OPEN = ("I1", "I2"), ("I3",), ("I9", "I10")


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
    return lines


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
    return Line(
        "interleavings", f"{world.policy}: {world.name}", search.tally.schedules, lost=int(name in LOST),
        duplicated=int(name in DUPLICATED), left_open=int(name in LEFT_OPEN),
        torn=int(bool(name) and name not in (*LOST, *DUPLICATED, *LEFT_OPEN)), note=note,
    )  # fmt: skip


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
