"""The safeguards of senders that share a file, the test that guards each, and how to take it out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Container, Sequence
from typing import Any

import pytest
from sqlalchemy import Connection, update

from drbridge.exchange import cutting, send, sender
from drbridge.exchange.crew import Crew
from drbridge.exchange.desk import Desk
from drbridge.ledger import leases, parcels, queue
from drbridge.ledger.leases import Lease
from drbridge.ledger.parcels import Claim, Outcome, Settled, Span
from drbridge.ledger.tables import parcels as table
from drbridge.ports import Call, RestTarget

Patch = pytest.MonkeyPatch


def lease_of_a_share(patch: Patch) -> None:
    """A share has no lease of its own: it is the lane's."""
    patch.setattr(leases, "name_of", lambda lane, _share: lane)


def held_by_any_share(patch: Patch) -> None:
    """A lane is held by whoever has its first share only."""
    patch.setattr(leases, "MOST_SHARES", 1)


def epochs_of_a_share(patch: Patch) -> None:
    """Whoever takes a share takes all that the other senders of the lane have under way for lost."""

    def doubt(tx: Connection, _lease: Lease) -> int:
        return tx.execute(update(table).where(table.c.state == "IN_FLIGHT").values(state="UNKNOWN")).rowcount

    patch.setattr(parcels, "doubt_older_epochs", doubt)


def own_share_only(patch: Patch) -> None:
    """A sender is given parcels of any share."""

    def claim(tx: Connection, lease: Lease, delivery_id: int, want: int) -> list[Claim]:
        look = queue._claimable(tx).where(table.c.delivery_id == delivery_id)
        return [Claim(*row) for row in queue._take(tx, lease, look.limit(want))]

    patch.setattr(queue, "claim", claim)


def older_file_in_all_shares(patch: Patch) -> None:
    """The next file begins when nothing of the older one waits, though some of it is under way."""
    patch.setattr(queue, "MOVING", ("PENDING", "UNKNOWN"))


def next_file(patch: Patch) -> None:
    """Whoever is done with a share of one file is done with that of the next."""
    real = send.next_place

    def place(desk: Desk, lane: str, looked_at: Container[send.Place] = ()) -> send.Place | None:
        found = real(desk, lane, looked_at)
        seen: Any = looked_at
        return None if found is None or found[1] in {share for _, share in seen} else found

    patch.setattr(send, "next_place", place)


def share_of_halves(patch: Patch) -> None:
    """The halves of a refused chunk are of the first share."""

    def split(tx: Connection, claim: Claim, halves: Sequence[Span]) -> None:
        parcels.add(tx, claim.delivery_id, claim.sha256, claim.destination, halves, claim.generation)

    patch.setattr(parcels, "split", split)


def shares_in_order(patch: Patch) -> None:
    """Rows are dealt out to the shares one by one."""
    patch.setattr(cutting, "_shares_of", lambda _, endpoint, rows: (rows // endpoint.rows % endpoint.senders).tolist())


def nothing_ahead(patch: Patch) -> None:
    """As much is claimed ahead under every policy."""
    patch.setattr(send, "AHEAD", dict.fromkeys(send.AHEAD, 1_000))


def permits_for_now(patch: Patch) -> None:
    """What has a permit may wait in hand."""
    lineup = send.FileByFile
    patch.setattr(send, "FileByFile", lambda _ahead: lineup(1_000))


def kept_back(patch: Patch) -> None:
    """What is in hand goes on the wire, whatever was heard meanwhile."""
    patch.setattr(sender.Sender, "_keep_back", lambda _: None)


def claimed_meanwhile(patch: Patch) -> None:
    """What is being claimed while a request comes back with trouble goes on the wire."""
    patch.setattr(Crew, "landed", ())


def beginning(patch: Patch) -> None:
    """Much of a file is claimed ahead though nothing of it was taken yet."""
    patch.setattr(sender.Sender, "_begins", False)


def hands(patch: Patch) -> None:
    """Whatever is taken in hand goes at once."""
    make = Crew.__init__

    def without_end(crew: Crew, carry: Any, hands: int, *more: int) -> None:
        make(crew, carry, 1_000 * hands, *more)

    patch.setattr(Crew, "__init__", without_end)


def width_of_the_wire(patch: Patch) -> None:
    """Whatever is built goes at once."""
    make = sender.Sender.__init__

    def wide(self: sender.Sender, *given: Any) -> None:
        make(self, *given)
        self.wire = asyncio.Semaphore(1_000)

    patch.setattr(sender.Sender, "__init__", wide)


def built_and_kept_back(patch: Patch) -> None:
    """What was built goes, though its target was seen in trouble since."""
    real = sender.Sender._outcome

    async def outcome(self: sender.Sender, target: RestTarget, claim: Claim, call: Call) -> Outcome:
        return await real(self, target, claim._replace(at=float("inf")), call)

    patch.setattr(sender.Sender, "_outcome", outcome)


def landed_first(patch: Patch) -> None:
    """An error is told at once, and what had landed before is forgotten."""
    collect = Crew.collect

    def hasty(crew: Crew) -> list[Settled]:
        if crew._error is not None:
            raise crew._error
        return collect(crew)

    patch.setattr(Crew, "collect", hasty)


def own_run(patch: Patch) -> None:
    """A sender of the same run is taken for another run."""
    patch.setattr(send, "who_sends", lambda *_: "somebody")


_LEASES, _PARCELS = "tests/unit/ledger/test_leases.py", "tests/unit/ledger/test_parcels.py"
_SHARES, _CREW = "tests/flows/test_shares.py", "tests/unit/exchange/test_crew.py"
_CUTTING, _BRICKS = "tests/unit/exchange/test_cutting.py", "tests/bricks/test_bricks.py"

_TESTS: dict[Callable[[Patch], None], str] = {
    lease_of_a_share: f"{_LEASES}::test_each_share_of_a_lane_has_a_holder_and_an_epoch_of_its_own",
    held_by_any_share: f"{_LEASES}::test_lane_is_held_while_any_share_of_it_is_and_not_by_another_lane_of_like_name",
    epochs_of_a_share: f"{_PARCELS}::test_new_holder_of_a_share_leaves_alone_what_others_have_under_way",
    own_share_only: f"{_PARCELS}::test_sender_of_a_share_is_given_its_parcels_only",
    older_file_in_all_shares: f"{_SHARES}::test_newer_file_waits_while_a_share_of_the_older_is_under_way",
    next_file: f"{_SHARES}::test_two_senders_do_not_leave_the_next_file_to_each_other",
    share_of_halves: f"{_SHARES}::test_halves_of_a_refused_chunk_stay_in_its_share",
    shares_in_order: f"{_CUTTING}::test_shares_follow_each_other_and_hold_every_row_once",
    nothing_ahead: f"{_SHARES}::test_what_a_killed_sender_had_in_hand_is_treated_by_the_policy",
    permits_for_now: f"{_SHARES}::test_nothing_that_has_a_permit_waits_in_hand",
    kept_back: "tests/faults/test_in_hand.py::test_what_waits_for_the_wire_goes_back",
    claimed_meanwhile: "tests/faults/test_storms.py::"
    "test_what_is_being_claimed_while_a_window_is_named_keeps_out_of_it",
    beginning: "tests/flows/test_trouble.py::test_a_file_held_for_its_bad_beginning_goes_on_when_a_person_says_so",
    hands: f"{_CREW}::test_hands_are_never_exceeded_and_the_oldest_goes_first",
    width_of_the_wire: f"{_SHARES}::"
    "test_chunks_are_built_while_those_before_are_on_the_wire_and_no_more_go_at_once_than_agreed",
    built_and_kept_back: "tests/faults/test_storms.py::test_what_was_built_ahead_keeps_out_of_the_window",
    landed_first: f"{_CREW}::test_error_of_one_ends_all_and_what_had_landed_before_is_told_first",
    own_run: f"{_BRICKS}::test_sender_that_met_one_of_its_own_run_leaves_no_verdict_to_another",
}

SAFEGUARDS = {out.__name__.replace("_", " "): (test, out) for out, test in _TESTS.items()}
