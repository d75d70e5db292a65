"""The worlds that are searched, by policy, and how deep."""

from __future__ import annotations

from dataclasses import dataclass

from tests.faults.search.worlds import CHANGES, ONE, OTHER, OUTCOMES, STAGES, World, changes, outcomes, stages


@dataclass(frozen=True)
class Plan:
    """How far a world is searched; once step by step, and deeper where known states are not entered again."""

    world: World
    depth: int
    deeper: int
    troubles: int


OLDER, NEWER = ("11", 8, ONE), ("12", 9, ONE)
MOST_OF_A_LEASE, THE_REST = 70.0, 21.0

PLANS = {
    "resend": (
        Plan(World("two versions of an enrollment", "resend", CHANGES, changes(OLDER, NEWER)), 12, 16, 3),
        Plan(
            World("the older version comes late", "resend", CHANGES, changes(NEWER), later=changes(OLDER)), 9, 12, 2
        ),
        Plan(World("two enrollments", "resend", CHANGES, changes(OLDER, ("12", 9, OTHER))), 9, 12, 2),
        Plan(World("a file of three chunks", "resend", OUTCOMES, outcomes(3), rows=1), 9, 12, 2),
        Plan(World("a chunk that is split", "resend", OUTCOMES, outcomes(2), rows=2), 9, 12, 3),
        Plan(World("an answer", "resend", CHANGES, changes(OLDER), answers=True), 9, 12, 3),
    ),
    "query": (
        Plan(World("two steps of a stage", "query", STAGES, stages(("S", 0, "1"), ("P", 1, "1"))), 12, 16, 3),
        Plan(World("two stages", "query", STAGES, stages(("S", 0, "1"), ("S", 0, "2"))), 9, 12, 2),
        Plan(
            World("a request that takes its time", "query", STAGES, stages(("S", 0, "1")),
                  jumps=(MOST_OF_A_LEASE, THE_REST)), 9, 12, 3,
        ),
        Plan(
            World("a step that comes late", "query", STAGES, stages(("P", 1, "1")), later=stages(("S", 0, "1"))), 9, 12, 2
        ),
    ),
    "park": (
        Plan(World("two versions of an enrollment", "park", CHANGES, changes(OLDER, NEWER)), 12, 16, 3),
        Plan(World("the older version comes late", "park", CHANGES, changes(NEWER), later=changes(OLDER)), 9, 12, 2),
        Plan(World("two enrollments", "park", CHANGES, changes(OLDER, ("12", 9, OTHER))), 9, 12, 2),
        Plan(World("a file of three chunks", "park", OUTCOMES, outcomes(3), rows=1), 9, 12, 2),
    ),
}  # fmt: skip
