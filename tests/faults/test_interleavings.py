"""A small part of the search, with fixed bounds; `python -m tests.faults.search` has all of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from drbridge.exchange.sender import LEASE_NEEDED_SECONDS
from drbridge.ledger import leases
from tests.faults.search.catalogue import PLANS, SLOW, STEPS, WITNESSES
from tests.faults.search.explore import Search, follow
from tests.faults.search.invariants import Violation
from tests.faults.search.play import Play
from tests.faults.search.rig import by_hand
from tests.faults.search.worker import Worker
from tests.faults.search.worlds import begun
from tests.faults.variants import without

DEPTH, TROUBLES = 5, 1
WORLDS = {f"{policy}: {plan.world.name}": plan.world for policy in PLANS for plan in PLANS[policy]}
A_CLAIMS = ("A acquires", "A takes over", "A turns")


@pytest.mark.parametrize("name", WORLDS)
def test_no_schedule_of_five_steps_breaks_an_invariant(name: str) -> None:
    with by_hand(), begun(WORLDS[name]) as world:
        assert Search(world, DEPTH, TROUBLES, DEPTH).run().schedules > 30


@pytest.mark.parametrize("name", WITNESSES)
def test_search_catches_the_protocol_without_one_safeguard(name: str) -> None:
    plan = WITNESSES[name]
    with by_hand(), begun(plan.world) as world, without(name), pytest.raises(Violation):
        Search(world, plan.depth, plan.troubles, plan.known_from).run()


def outlasts_its_request(worker: Worker) -> bool:
    (flight,) = worker.flights
    assert worker.sender is not None
    return worker.sender.lease_ends - flight.sent_at >= LEASE_NEEDED_SECONDS


def test_request_goes_with_a_lease_that_outlasts_it() -> None:
    with by_hand(), begun(SLOW) as world:
        late = follow(Play(world), 2, [*A_CLAIMS, "70 s pass", "A looks at its lease"])
    assert outlasts_its_request(late.workers[0])


def test_lease_that_was_looked_at_before_the_wire_is_lost_to_nobody() -> None:
    with by_hand(), begun(STEPS) as world:
        play = Play(world)
        late = follow(play, 2, [*A_CLAIMS, "91 s pass", "A looks at its lease", "B acquires"])
    assert late.workers[1].lease is None


def test_lease_is_looked_at_again_after_a_question() -> None:
    asked = (
        *A_CLAIMS, "A looks at its lease", "A's request for 1 is lost before acting", "A turns", "A looks at its lease",
        "50 s pass", "A's question for 1 acts and is answered",
    )  # fmt: skip
    with by_hand(), begun(replace(SLOW, jumps=(50.0,))) as world:
        late = follow(Play(world), 2, asked)
    assert outlasts_its_request(late.workers[0])


def test_worker_that_lost_the_lane_before_it_began_changes_nothing() -> None:
    lost = ("91 s pass", "B acquires", "91 s pass", "A acquires", "B takes over")
    with by_hand(), begun(STEPS) as world:
        play = Play(world)
        late = follow(play, 3, [*A_CLAIMS, "A crashes", *lost])
        assert play.memory.rows("select state from parcels where id = 1") == [("IN_FLIGHT",)]
    assert late.workers[1].stage == "idle"


def test_holder_that_was_paused_past_its_lease_keeps_it_while_nobody_wanted_it() -> None:
    with by_hand(), begun(STEPS) as world:
        late = follow(Play(world), 2, ["A acquires", "91 s pass", "A takes over", "A turns"])
        assert late.workers[0].lease is not None
        assert late.workers[0].sender is not None
        assert late.workers[0].sender.lease.seconds_left == pytest.approx(leases.LEASE_SECONDS, abs=1)
