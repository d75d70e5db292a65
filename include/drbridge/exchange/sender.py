"""The holder of a lane at work: many requests in flight, each noted before and after the wire.

For each group: (T1) the parcels are marked as under way; (W) right before the wire the lease is looked at once more;
(T2) the outcomes are written, unless another worker has taken the lane over meanwhile.
"""

from __future__ import annotations

import asyncio
from functools import partial

from drbridge.errors import Misconfigured
from drbridge.exchange.acks import settle
from drbridge.exchange.crew import Crew
from drbridge.exchange.cutting import halves
from drbridge.exchange.desk import Desk
from drbridge.exchange.lineup import Lineup
from drbridge.exchange.notices import A_MESSAGE, AN_ANSWER, of_message
from drbridge.exchange.operation import Operation
from drbridge.exchange.operations import operation_of
from drbridge.exchange.outcomes import (
    KEPT_BACK,
    LEASE_IS_SHORT,
    LONGEST_WAIT_SECONDS,
    NEXT_STEP,
    NOT_BUILT,
    is_trouble,
    judge,
    judge_asked,
    judge_failure,
    judge_health,
)
from drbridge.exchange.requests import Requests
from drbridge.exchange.scrub import scrubbed
from drbridge.exchange.staging import view_of
from drbridge.exchange.tally import ANSWERED, MOST_TROUBLES, SendResult, Tally, answered_later
from drbridge.ledger import deliveries, leases, parcels, targets
from drbridge.ledger.database import Tx
from drbridge.ledger.leases import Lease
from drbridge.ledger.parcels import IN_DOUBT, Claim, Outcome, Settled
from drbridge.ledger.states import ParcelState
from drbridge.ports import LONGEST_CALL_SECONDS, Call, Lost, NotSent, RestTarget
from drbridge.systems import Endpoint, Flow

LEASE_NEEDED_SECONDS = LONGEST_CALL_SECONDS + 5.0  # whoever takes the lane over finds that it acted, or never will
KEEP_LEASE_EVERY_SECONDS = 15.0  # a large file may be on the wire for longer than a lease lasts
LOOK_AGAIN_SECONDS = 0.3
LEASE_IS_FRESH_SECONDS = 1.0
NOTE_SUCCESS_EVERY_SECONDS = 1.0
CHUNKS_BUILT_AHEAD = 2  # one keeps the wire full, the other helps when building takes longer than usual
CHUNKS_BEFORE_HOLDING = 3
ROWS_BEFORE_HOLDING = 50


class Sender:
    """The holder of a lane at work; whether its target has `answered` this worker already, is known from before."""

    def __init__(
        self, desk: Desk, flow: Flow, endpoint: Endpoint, lease: Lease, lineup: Lineup, answered: bool = False
    ) -> None:
        self.desk, self.flow, self.endpoint, self.lineup = desk, flow, endpoint, lineup
        self.operation: Operation = operation_of(endpoint)
        self.requests = Requests(desk, endpoint)
        self.tally, self.is_answering = Tally(answered=answered), endpoint.name == flow.answer
        self.stop = self.waiting = ""
        self.last: Claim | None = None
        self.next_permit_seconds, self.is_healthy = 0.0, False
        self.looking, self.wire = asyncio.Lock(), asyncio.Semaphore(endpoint.in_flight)
        self.success_noted = float("-inf")
        self.began = self.busy_at = desk.clock.monotonic()
        self.newest_claim = self.troubled = self.failure_counted = float("-inf")  # by the database's clock
        self._hold(lease)

    def _hold(self, lease: Lease) -> None:
        self.lease, self.looked_at = lease, self.desk.clock.monotonic()
        self.lease_ends = self.looked_at + lease.seconds_left

    async def run(self) -> SendResult:
        """Sends until nothing of the lane may go now."""
        target = self.desk.outside.target(self.endpoint.connection)
        built_ahead = CHUNKS_BUILT_AHEAD if self.operation.shape == "chunk" else 0
        crew = Crew(partial(self._carry, target), self.endpoint.in_flight, self.lineup.ahead, built_ahead)
        try:
            while True:
                claims = await asyncio.to_thread(self._turn, crew.collect(), crew.room(not self._begins), crew.is_busy)
                if any(is_trouble(each.outcome) for each in crew.landed):
                    self._keep_back()  # it landed while the claims were made
                crew.take(each for each in claims if each.decided is None)
                if claims or crew.is_busy:
                    self.busy_at = self.desk.clock.monotonic()
                if crew.is_busy:
                    await crew.news(self._pause(claims))
                elif not claims and not await self._rests():
                    break
        finally:
            await crew.end()
            await target.close()
        return await asyncio.to_thread(self._result)

    def _pause(self, claims: list[Claim]) -> float:
        """How long to wait for what is on the wire before the ledger is looked into again."""
        is_decided = any(each.decided for each in claims)
        return 0.0 if is_decided else self.next_permit_seconds or KEEP_LEASE_EVERY_SECONDS

    async def _rests(self) -> bool:
        """Waits a little when nothing may go now; says whether to look again: more may come, and time is not up."""
        idle = self.desk.clock.monotonic() - self.busy_at
        lingers = not self.stop and not self.time_is_up and idle < self.lineup.lingers_seconds
        if not self.next_permit_seconds and not lingers:
            return False
        await asyncio.sleep(self.next_permit_seconds or LOOK_AGAIN_SECONDS)
        return True

    @property
    def time_is_up(self) -> bool:
        """Whether it is time to leave the lane to the next run."""
        lasts = self.lineup.lasts_seconds
        return lasts is not None and self.desk.clock.monotonic() - self.began > lasts

    @property
    def _begins(self) -> bool:
        """Whether nothing of the file at hand was taken yet: it may have to be held."""
        return self.last is not None and self.last.entity is None and self.last.delivery_id not in self.tally.taken

    @property
    def in_vain(self) -> bool:
        """Whether all that was tried failed: the next run would fare no better, and somebody should hear of it."""
        return bool(self.tally.setback) and not self.tally.answered

    def _turn(self, done: list[Settled], room: int, busy: bool) -> list[Claim]:
        """One transaction: the outcomes that came in are written, and the next parcels marked as under way.

        What is decided without a call is written at once: a worker that is lost leaves no doubt about it.
        """
        with self.desk.ledger.write() as tx:
            self._hold(leases.keep(tx, self.lease))
            self._write_outcomes(tx, done)
            self.next_permit_seconds = 0.0
            claims = [] if self.stop or self.time_is_up else self._next(tx, room, busy)
            self.newest_claim = max((each.at for each in claims), default=self.newest_claim)
            self.last = claims[-1] if claims else self.last
            decided = [Settled(each, each.decided, each.at, 0.0) for each in claims if each.decided is not None]
            if decided:
                self._write_outcomes(tx, decided)
            return claims

    def _write_outcomes(self, tx: Tx, done: list[Settled]) -> None:
        counted = parcels.settle(tx, self.lease, [self._parked_if_hopeless(tx, each) for each in done])
        self.lineup.settled(tx, counted)
        for each in counted:
            self.tally.add(each)
            if each.outcome.state is ParcelState.SPLIT:
                parcels.split(tx, each.claim, self._halves(each.claim))
            if self._needs_person(each):
                number = each.claim.file_name.removeprefix(f"{each.claim.noun} ")
                fix, what = NEXT_STEP[each.outcome.state], AN_ANSWER if self.is_answering else A_MESSAGE
                of_message(self.desk, tx, self.flow.name, number, each.outcome.code, fix, what)
            if each.outcome.code == NOT_BUILT and not each.claim.entity and self._unbuildable(tx, each.claim):
                self._hold_delivery(tx, each.claim, each.outcome.text)
        self._hold_hopeless(tx, counted)
        settle(tx, self.flow, {each.claim.delivery_id for each in counted}, answered_later(counted))
        self._note_health(tx, done)  # after the deliveries: senders that share one lock the same in the same order

    def _needs_person(self, settled: Settled) -> bool:
        """Whether it is part of a message, or the answer to one, whose sender will not be told of its trouble."""
        state, is_told = settled.outcome.state, bool(self.flow.answer) and not self.is_answering
        return bool(settled.claim.sealed) and (
            state is ParcelState.PARKED or (state is ParcelState.REJECTED and not is_told)
        )

    def _hold_hopeless(self, tx: Tx, counted: list[Settled]) -> None:
        """A file of which the beginning was refused, and nothing was taken, is held rather than ground through.

        The beginning is three whole chunks, or 50 single rows. That is our own definition: a wrong path or a wrong
        column makes the target refuse every row, and should be seen before 100,000 of them are. A file that a person
        had go on is not held again: the good rows behind its bad beginning are meant to go.

        A message is never held: each of its requests is judged by itself, and its sender waits for all the answers.
        """
        beginning = CHUNKS_BEFORE_HOLDING * self.endpoint.rows if self.operation.can_split else ROWS_BEFORE_HOLDING
        of_files = (each for each in counted if each.claim.entity is None)
        refused = {
            each.claim.delivery_id: each.claim for each in of_files if each.outcome.state is ParcelState.REJECTED
        }
        refused = {number: claim for number, claim in refused.items() if number not in self.tally.taken}
        for delivery_id, balance in deliveries.balances(tx, list(refused)).items():
            row = deliveries.by_id(tx, delivery_id)
            rows = balance.rejected - row.rejected_rows
            if row.generation == 0 and not balance.acked and balance.open and rows >= beginning:
                why = f"{self.endpoint.name} refused the first {rows} rows and took none"
                self._hold_delivery(tx, refused[delivery_id], why)

    def _hold_delivery(self, tx: Tx, claim: Claim, why: str) -> None:
        why = f"{why}; correct the cause, then trigger the flow with the file and resend = failed to go on"
        if deliveries.hold(tx, claim.delivery_id, why):
            self.tally.trouble(claim, f"held, {why}")
            self._keep_back()

    def _parked_if_hopeless(self, tx: Tx, each: Settled) -> Settled:
        """What is in doubt waits for a person: at once where the policy says so, else after many tries in vain.

        So does a message of which no request can be made, that newer ones about the same need not wait behind it.
        """
        if each.outcome.code == NOT_BUILT and each.outcome.state is ParcelState.PENDING:
            hopeless = bool(each.claim.entity) and self._unbuildable(tx, each.claim, tries=1)
            return each._replace(outcome=each.outcome._replace(state=ParcelState.PARKED)) if hopeless else each
        if each.outcome.state is not ParcelState.UNKNOWN:
            return each
        if self.endpoint.unknown != "park" and not self._tried_in_vain(tx, each.claim):
            return each
        text = f"nobody knows whether it took effect after {each.claim.tries} tries: {each.outcome.text}"
        return each._replace(outcome=each.outcome._replace(state=ParcelState.PARKED, code=IN_DOUBT, text=text))

    def _tried_in_vain(self, tx: Tx, claim: Claim) -> bool:
        """Whether it stays in doubt while its target works: something there succeeded since the try before this.

        In an outage nothing does, however often it is tried; tries made in one do not count.
        """
        name, before = self.endpoint.connection, parcels.tried_at(tx, claim.id)
        if before is None or not targets.worked_since(tx, name, before):
            return False
        return 1 + parcels.tries_in_doubt(tx, claim.id, targets.back_since(tx, name)) >= self.endpoint.max_tries

    def _unbuildable(self, tx: Tx, claim: Claim, tries: int = 0) -> bool:
        """Whether it was tried often enough, with so many tries that are not written down yet."""
        return tries + parcels.tries_with(tx, claim.id, NOT_BUILT) >= self.endpoint.max_tries

    def _halves(self, claim: Claim) -> list[parcels.Span]:
        staged = self.requests.staged(claim)
        return halves(staged, view_of(claim.destination, claim.generation), claim.first_row, claim.last_row)

    def _note_health(self, tx: Tx, done: list[Settled]) -> None:
        """What was on the wire together fails together: that counts as one failure."""
        name = self.endpoint.connection
        if any(each.outcome.state in ANSWERED and each.outcome.was_sent for each in done):
            self._note_success(tx, name)
        for outcome, at in ((each.outcome, each.at) for each in done):
            if outcome.retry_after is not None:
                targets.asked_to_wait(tx, name, outcome.retry_after)
            if outcome.target_failed and at > self.failure_counted:
                self.success_noted, self.failure_counted = float("-inf"), self.newest_claim
                targets.failed(tx, name, outcome.text)
            if outcome.stop:
                self.stop = outcome.text
                targets.stopped(tx, name if outcome.stop == "connection" else self.endpoint.name, outcome.text)

    def _note_success(self, tx: Tx, name: str) -> None:
        """Once a second is enough, unless it had failed."""
        now = self.desk.clock.monotonic()
        if now - self.success_noted > NOTE_SUCCESS_EVERY_SECONDS:
            targets.succeeded(tx, name)
            self.success_noted = now

    def _next(self, tx: Tx, room: int, busy: bool) -> list[Claim]:
        """The parcels that may go now; one call alone until the target has answered."""
        health = targets.health(tx, self.endpoint.connection, self.endpoint.name)
        if health.wait_seconds > 0:
            why = health.last_error or "it asked for it"
            self.waiting = f"{self.endpoint.connection} is left alone for {health.wait_seconds:.0f} s: {why}"
            self.stop = why if health.stopped else ""
            self._keep_back()
            return []
        alone = health.failures > 0 or not self.tally.answered
        if alone and busy:
            return []
        claims = self._paced(tx, 1 if alone else room if busy else min(room, self.endpoint.in_flight), alone)
        if not claims and not busy and (wait := self.lineup.wait(tx, self.lease)) is not None:
            self.waiting = f"the next try is due in {wait:.0f} s. {self.tally.setback}".rstrip(". ")
        return claims

    def _paced(self, tx: Tx, want: int, alone: bool) -> list[Claim]:
        """As many as the target's owner allows now, whoever sends; none: the seconds until one may go are noted."""
        name, pace = self.endpoint.connection, self.desk.systems.calls_per_second(self.endpoint.connection)
        if pace is None:
            return self._lined_up(tx, want, alone)
        granted, wait = targets.permits(tx, name, pace)
        if not granted:
            self.next_permit_seconds = wait if self.lineup.wait(tx, self.lease) == 0.0 else 0.0
            return []
        claims = self._lined_up(tx, min(want, granted), alone)
        targets.draw(tx, name, sum(each.decided is None for each in claims), pace)
        return claims

    def _lined_up(self, tx: Tx, want: int, alone: bool) -> list[Claim]:
        """The next parcels; one that goes alone stands behind those that are decided without a call."""
        claims, most = self.lineup.next(tx, self.lease, want), 2 * self.endpoint.in_flight
        while alone and claims and claims[-1].decided is not None and len(claims) < most:
            if not (more := self.lineup.next(tx, self.lease, 1)):
                break
            claims += more
        return claims

    async def _carry(self, target: RestTarget, claim: Claim) -> Settled:
        """Builds and sends one request, and says what came of it.

        What was claimed before the target was seen in trouble, or its file was held, goes back: the ledger decides.
        """
        call = KEPT_BACK if claim.at <= self.troubled else await self.requests.built(claim)
        async with self.wire:
            started = self.desk.clock.monotonic()
            outcome = call if isinstance(call, Outcome) else await self._outcome(target, claim, call)
            if is_trouble(outcome):
                self._keep_back()
        if claim.in_doubt and outcome.state is ParcelState.PENDING:
            outcome = outcome._replace(state=ParcelState.UNKNOWN)  # what did not go now may have gone before
        return Settled(claim, outcome, claim.at, self.desk.clock.monotonic() - started)

    def _keep_back(self) -> None:
        """What was claimed so far and waits for the wire goes back."""
        self.troubled = self.newest_claim

    async def _outcome(self, target: RestTarget, claim: Claim, call: Call) -> Outcome:
        if claim.at <= self.troubled:
            return KEPT_BACK
        if await self._lease_is_short():
            return LEASE_IS_SHORT
        try:
            if (ill := await self._ill(target, claim)) is not None:
                return ill
            if claim.in_doubt and self.endpoint.unknown == "query":
                told = await target.call(self.requests.question(claim))
                known = judge_asked(told, claim, self.operation, self.desk.clock.now())
                if known is not None:
                    return known
                if await self._lease_is_short():
                    return LEASE_IS_SHORT
            reply = await target.call(call)
        except (NotSent, Lost) as error:
            return judge_failure(error, claim, self.desk.clock.now())
        except Misconfigured as error:
            return Outcome(
                ParcelState.PENDING, "misconfigured", str(error), wait_seconds=LONGEST_WAIT_SECONDS, stop="connection"
            )
        outcome = judge(reply, claim, self.operation, self.endpoint, self.desk.clock.now())
        if outcome.state is not ParcelState.REJECTED:
            return outcome
        return outcome._replace(text=await asyncio.to_thread(scrubbed, outcome.text, call, self.endpoint.path))

    async def _lease_is_short(self) -> bool:
        """Whether what is sent now might still act when another worker has the lane.

        The ledger is asked, unless it was a moment ago: this process may have been stopped since, and another have the
        lane. Where the target does not know a request that comes twice, it is asked each time: our own clock may have
        stood still as well.

        Raises:
            Fenced: another worker took the lane over.
        """
        async with self.looking:
            age = self.desk.clock.monotonic() - self.looked_at
            if self.endpoint.unknown != "resend" or age > LEASE_IS_FRESH_SECONDS:
                await asyncio.to_thread(self._keep_lease)
        return self.lease_ends - self.desk.clock.monotonic() < LEASE_NEEDED_SECONDS

    def _keep_lease(self) -> None:
        with self.desk.ledger.write() as tx:
            self._hold(leases.keep(tx, self.lease))

    async def _ill(self, target: RestTarget, claim: Claim) -> Outcome | None:
        """What keeps a target from being sent anything, by its own health check; asked once, before the first call.

        Raises:
            NotSent: it says nothing, so nothing is sent.
        """
        if not self.operation.health or self.is_healthy:
            return None
        try:
            reply = await target.call(self.requests.health_check(claim))
        except Lost as error:
            raise NotSent(str(error)) from None
        self.is_healthy = 200 <= reply.status < 300
        return None if self.is_healthy else judge_health(reply, claim, self.desk.clock.now())

    def _result(self) -> SendResult:
        with self.desk.ledger.read() as tx:
            left = parcels.open_rows(tx, self.lease.lane, self.lease.share)
        if self.stop and left:
            raise Misconfigured(
                f"{self.endpoint.name} cannot be worked with: {self.stop}",
                detail=f"{left} rows wait in {self.lease.lane}",
                fix=f"correct connection {self.endpoint.connection} or the endpoint path, then trigger the flow",
            )
        rows = self.tally.rows
        return SendResult(
            self.tally.sent, rows.get(ParcelState.ACKED, 0), rows.get(ParcelState.REJECTED, 0),
            rows.get(ParcelState.PARKED, 0), left, None, (self.waiting or self.tally.setback) if left else "", (),
            tuple(self.tally.troubles.values())[:MOST_TROUBLES], bool(left) and self.time_is_up and not self.in_vain,
        )  # fmt: skip
