"""Requests on the wire: never more than the hands, what lands together told together, no error loses what landed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from drbridge.exchange.crew import MOMENT_SECONDS, Crew
from drbridge.ledger.leases import Fenced
from drbridge.ledger.parcels import Claim, Outcome, Settled
from drbridge.ledger.states import ParcelState

MANY = 1_000
LONG = 30.0


def claims(*numbers: int) -> list[Claim]:
    return [Claim(number, 1, 1, "n", "s", "f", "d", number, number, 1, f"{number}", 0, 1, False) for number in numbers]


def come(claim: Claim) -> Settled:
    return Settled(claim, Outcome(ParcelState.ACKED), 0.0, 0.0)


class Wire:
    """The other side: it answers when it is told to, and counts what is on the wire at once."""

    def __init__(self) -> None:
        self.at_once = self.most = 0
        self.begun: list[int] = []
        self.lets_through: dict[int, asyncio.Event] = {}

    async def carry(self, claim: Claim) -> Settled:
        self.begun.append(claim.id)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            await self.lets_through.setdefault(claim.id, asyncio.Event()).wait()
        finally:
            self.at_once -= 1
        return come(claim)

    async def answers(self, *numbers: int) -> None:
        for number in numbers:
            self.lets_through.setdefault(number, asyncio.Event()).set()
        await rest()


async def rest() -> None:
    """Whoever can go on does."""
    for _ in range(20):
        await asyncio.sleep(0)


def played(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(story(), 20))


def numbers(settled: list[Settled]) -> list[int]:
    return sorted(each.claim.id for each in settled)


def test_hands_are_never_exceeded_and_the_oldest_goes_first() -> None:
    async def story() -> None:
        wire = Wire()
        crew = Crew(wire.carry, hands=3, ahead=MANY)
        crew.take(claims(0, 1, 2, 3))
        crew.take(claims(4, 5, 6))
        await rest()
        assert wire.begun == [0, 1, 2]
        await wire.answers(1)
        crew.take(claims(7))
        await wire.answers(*range(8))
        assert (wire.begun, wire.most) == ([*range(8)], 3)
        assert numbers(crew.collect()) == [*range(8)]
        assert not crew.is_busy
        crew.take(claims(8, 9, 10, 11))
        await wire.answers(8, 9, 10, 11)
        assert wire.most == 3

    played(story)


def test_what_lands_within_a_moment_is_told_together_while_the_wire_is_busy() -> None:
    async def story() -> None:
        wire = Wire()
        crew = Crew(wire.carry, hands=2, ahead=MANY)
        crew.take(claims(*range(20)))
        await wire.answers(0)
        told = asyncio.create_task(crew.news(LONG))
        await rest()
        await wire.answers(1, 2)
        assert not told.done()
        began = time.monotonic()
        await told
        assert time.monotonic() - began < 20 * MOMENT_SECONDS
        assert numbers(crew.collect()) == [0, 1, 2]
        await crew.end()

    played(story)


def test_nobody_waits_for_more_to_land_when_the_wire_would_run_dry() -> None:
    async def story() -> None:
        wire = Wire()
        crew = Crew(wire.carry, hands=2, ahead=MANY)
        crew.take(claims(0, 1, 2))
        await wire.answers(0)
        told = asyncio.create_task(crew.news(LONG))
        await rest()
        assert told.done()
        await crew.end()

    played(story)


def test_slow_target_does_not_have_much_claimed_for_it() -> None:
    async def story() -> None:
        wire = Wire()
        crew = Crew(wire.carry, hands=2, ahead=MANY)
        assert crew.room() == 4
        crew.take(claims(0, 1, 2, 3))
        assert crew.room() == 0
        await wire.answers(0)
        assert numbers(crew.collect()) == [0]
        assert crew.room() == 5, "four times what landed, beside what may be on the wire twice over"
        await crew.end()

    played(story)


def test_fast_target_has_as_much_claimed_as_is_allowed_and_no_more() -> None:
    async def story() -> None:
        wire = Wire()
        crew = Crew(wire.carry, hands=2, ahead=16)
        crew.take(claims(*range(18)))
        await wire.answers(*range(18))
        assert numbers(crew.collect()) == [*range(18)]
        assert (crew.room(), crew.room(far=False)) == (2 + 16, 2)
        await crew.end()

    played(story)


def test_nothing_is_claimed_ahead_where_what_never_went_would_be_a_persons_work() -> None:
    async def story() -> None:
        wire = Wire()
        crew = Crew(wire.carry, hands=3, ahead=0)
        crew.take(claims(0, 1, 2))
        assert crew.room() == 0
        await wire.answers(0, 1, 2)
        assert numbers(crew.collect()) == [0, 1, 2]
        assert crew.room() == 3

    played(story)


def test_what_is_built_ahead_is_given_on_before_its_turn_unless_nothing_may_be_in_hand() -> None:
    async def story() -> None:
        for ahead, begun in ((MANY, [0, 1, 2, 3]), (1, [0, 1, 2]), (0, [0, 1])):
            wire = Wire()
            crew = Crew(wire.carry, hands=2, ahead=ahead, built=2)
            assert crew.room(far=False) == 2
            crew.take(claims(*range(6)))
            await rest()
            assert wire.begun == begun
            await crew.end()

    played(story)


def test_error_of_one_ends_all_and_what_had_landed_before_is_told_first() -> None:
    async def story() -> None:
        wire = Wire()

        async def carry(claim: Claim) -> Settled:
            settled = await wire.carry(claim)
            if claim.id == 1:
                raise Fenced("a lane")
            return settled

        crew = Crew(carry, hands=3, ahead=MANY)
        crew.take(claims(*range(9)))
        await wire.answers(0, 1)
        await asyncio.wait_for(crew.news(LONG), 5)
        assert crew.room() == 0
        assert numbers(crew.collect()) == [0]
        await asyncio.wait_for(crew.news(LONG), 5)
        with pytest.raises(Fenced):
            crew.collect()
        assert set(wire.begun) <= {0, 1, 2, 3}, "what was in hand stays there"
        await crew.end()
        assert wire.at_once == 0

    played(story)


def test_end_gives_up_what_is_on_the_wire() -> None:
    async def story() -> None:
        wire = Wire()
        crew = Crew(wire.carry, hands=2, ahead=MANY)
        crew.take(claims(0, 1, 2))
        await rest()
        await crew.end()
        assert (wire.begun, wire.at_once) == ([0, 1], 0)
        assert crew.collect() == []

    played(story)
