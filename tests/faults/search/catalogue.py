"""The worlds that are searched, by policy, and how deep; and where each broken variant is looked for."""

from __future__ import annotations

from dataclasses import dataclass

from tests.faults.search.worlds import CHANGES, ONE, OTHER, OUTCOMES, STAGES, World, changes, outcomes, stages


@dataclass(frozen=True)
class Plan:
    """How far a world is searched.

    Attributes:
        depth: steps of a schedule, before it is ended.
        troubles: faults, crashes and jumps of the clock in it, at most.
        known_from: steps before the end from which on known states are not entered again.
    """

    world: World
    depth: int
    troubles: int
    known_from: int = 0


OLDER, NEWER, ABOUT_ANOTHER = ("11", 8, ONE), ("12", 9, ONE), ("12", 9, OTHER)
SCHEDULED, BEGUN, OF_ANOTHER = ("S", 0, "1"), ("P", 1, "1"), ("S", 0, "2")
MOST_OF_A_LEASE, THE_REST = 70.0, 21.0


def _versions(policy: str) -> World:
    return World("two versions of an enrollment", policy, CHANGES, changes(OLDER, NEWER))


def _late(policy: str) -> World:
    return World("the older version comes late", policy, CHANGES, changes(NEWER), later=changes(OLDER))


def _two(policy: str) -> World:
    return World("two enrollments", policy, CHANGES, changes(OLDER, ABOUT_ANOTHER))


def _file(policy: str) -> World:
    return World("a file of three chunks", policy, OUTCOMES, outcomes(3), rows=1)


def _shared(policy: str) -> World:
    return World("two shares of a file", policy, OUTCOMES, outcomes(2), rows=1, senders=2)


STEPS = World("two steps of a stage", "query", STAGES, stages(SCHEDULED, BEGUN))
SLOW = World(
    "a request that takes its time", "query", STAGES, stages(SCHEDULED), jumps=(MOST_OF_A_LEASE, THE_REST)
)  # fmt: skip
OUT_OF_ORDER = World("a step before the one it follows", "query", STAGES, stages(BEGUN), later=stages(SCHEDULED))
TWO_STAGES = World("two stages", "query", STAGES, stages(SCHEDULED, OF_ANOTHER))
SPLIT = World("a chunk that is split", "resend", OUTCOMES, outcomes(2), rows=2)
ANSWER = World("an answer", "resend", CHANGES, changes(OLDER), answers=True)

PLANS: dict[str, tuple[Plan, ...]] = {
    "resend": (
        Plan(_versions("resend"), 11, 3), Plan(_versions("resend"), 13, 3, 13), Plan(_late("resend"), 9, 2),
        Plan(_two("resend"), 9, 2), Plan(_file("resend"), 9, 2), Plan(SPLIT, 9, 3), Plan(ANSWER, 9, 3),
        Plan(_shared("resend"), 11, 2, 11),
    ),
    "query": (
        Plan(STEPS, 11, 3), Plan(STEPS, 13, 3, 13), Plan(SLOW, 13, 2, 13), Plan(TWO_STAGES, 9, 2),
        Plan(OUT_OF_ORDER, 9, 2),
    ),
    "park": (
        Plan(_versions("park"), 11, 3), Plan(_versions("park"), 13, 3, 13), Plan(_late("park"), 9, 2),
        Plan(_two("park"), 9, 2), Plan(_file("park"), 9, 2), Plan(_shared("park"), 11, 2, 11),
    ),
}  # fmt: skip

WITNESSES: dict[str, Plan] = {
    "no fence": Plan(STEPS, 8, 1, 8),
    "no intent": Plan(STEPS, 6, 1, 6),
    "no lease": Plan(STEPS, 12, 0, 12),
    "no deadline check": Plan(STEPS, 6, 1, 6),
    "no superseding": Plan(_late("resend"), 7, 0, 7),
    "PENDING before UNKNOWN": Plan(_versions("resend"), 7, 1, 7),
    "key forgotten on failure": Plan(_versions("resend"), 7, 1, 7),
}
