"""Sending: every open delivery of a flow, oldest first, many requests in flight, each noted before and after the wire.

One worker holds the lane. For each group: (T1) the parcels are marked as under way; (W) right before the wire the
lease is looked at once more; (T2) the outcomes are written, unless another worker has taken the lane over meanwhile.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass, field, replace

from drbridge.errors import Misconfigured
from drbridge.exchange.acks import owe_answer
from drbridge.exchange.cutting import halves
from drbridge.exchange.desk import Desk
from drbridge.exchange.lanes import working_on
from drbridge.exchange.operations import Operation, operation_of
from drbridge.exchange.outcomes import back_off, judge, judge_failure
from drbridge.exchange.requests import Requests
from drbridge.exchange.staging import view_of
from drbridge.exchange.work import Work
from drbridge.ledger import deliveries, leases, parcels, targets
from drbridge.ledger.database import Tx
from drbridge.ledger.deliveries import lane_of
from drbridge.ledger.leases import Lease
from drbridge.ledger.parcels import Claim, Outcome, Settled
from drbridge.ledger.states import ParcelState
from drbridge.ports import Lost, NotSent, RestTarget
from drbridge.systems import Endpoint, Flow

LEASE_NEEDED_SECONDS = 20.0
KEEP_LEASE_EVERY_SECONDS = 15.0  # a large file may be on the wire for longer than a lease lasts
CHUNKS_BEFORE_HOLDING = 3


@dataclass(frozen=True)
class SendResult:
    """What one sender did.

    Attributes:
        open_left: rows that still have to go when it stopped.
        held_by: the worker that holds the lane, when it was not ours.
        waiting: why it stopped with rows left, in words.
        calls: what would be sent, in a dry run.
    """

    sent: int = 0
    acked: int = 0
    rejected: int = 0
    parked: int = 0
    open_left: int = 0
    held_by: str | None = None
    waiting: str = ""
    calls: tuple[dict[str, object], ...] = ()

    def as_dict(self) -> dict[str, object]:
        return asdict(self)

    def __add__(self, other: SendResult) -> SendResult:
        return SendResult(
            self.sent + other.sent, self.acked + other.acked, self.rejected + other.rejected,
            self.parked + other.parked, self.open_left + other.open_left, self.held_by or other.held_by,
            "; ".join(filter(None, (self.waiting, other.waiting))), self.calls + other.calls,
        )  # fmt: skip


def send(desk: Desk, flow_name: str, work: Work) -> SendResult:
    """Drains every open delivery of the flow to its REST endpoints.

    Raises:
        Misconfigured: an endpoint cannot be worked with (credentials, path); what was settled before is kept.
    """
    flow = desk.systems.flow(flow_name)
    endpoints = [each for name in flow.deliver if isinstance(each := desk.systems.destination(name), Endpoint)]
    return _drain_all(desk, flow, endpoints, work)


def answer(desk: Desk, flow_name: str, work: Work) -> SendResult:
    """Sends the acknowledgements that the flow owes its senders; if a sender is down they wait."""
    flow = desk.systems.flow(flow_name)
    owed = [] if flow.answer is None else [desk.systems.endpoints[flow.answer]]
    return _drain_all(desk, flow, owed, work)


def _drain_all(desk: Desk, flow: Flow, endpoints: list[Endpoint], work: Work) -> SendResult:
    total = SendResult()
    for endpoint in endpoints:
        total = total + (_preview(desk, flow, endpoint) if work.dry_run else _drain(desk, flow, endpoint, work))
    return total


def _drain(desk: Desk, flow: Flow, endpoint: Endpoint, work: Work) -> SendResult:
    lane = lane_of(flow.name, endpoint.name)
    with working_on(desk, lane) as lease:
        if lease is None:
            with desk.ledger.read() as tx:
                return SendResult(open_left=0, held_by=leases.holder_of(tx, lane) or "another worker")
        with desk.ledger.write() as tx:
            parcels.doubt_older_epochs(tx, lease)
            if endpoint.unknown == "park":
                parcels.park_doubtful(tx, lane)
            if work.by_hand:
                targets.try_again_now(tx, endpoint.connection)
                parcels.hurry(tx, lane)
        return asyncio.run(_Sender(desk, flow, endpoint, lease).run())


def _preview(desk: Desk, flow: Flow, endpoint: Endpoint) -> SendResult:
    requests = Requests(desk, endpoint)
    with desk.ledger.read() as tx:
        claims = parcels.waiting(tx, lane_of(flow.name, endpoint.name))
    return SendResult(open_left=sum(claim.rows for claim in claims), calls=tuple(map(requests.preview, claims)))


@dataclass
class _Tally:
    """What the sender has done so far."""

    sent: int = 0
    rows: dict[ParcelState, int] = field(default_factory=dict)

    def add(self, settled: Settled) -> None:
        self.sent += 1
        state = settled.outcome.state
        self.rows[state] = self.rows.get(state, 0) + settled.claim.rows


class _Sender:
    """The holder of a lane at work."""

    def __init__(self, desk: Desk, flow: Flow, endpoint: Endpoint, lease: Lease) -> None:
        self.desk, self.flow, self.endpoint = desk, flow, endpoint
        self.operation: Operation = operation_of(endpoint)
        self.requests = Requests(desk, endpoint)
        self.tally = _Tally()
        self.stop: Outcome | None = None
        self.waiting = ""
        self._hold(lease)

    def _hold(self, lease: Lease) -> None:
        self.lease = lease
        self.lease_ends = self.desk.clock.monotonic() + lease.seconds_left

    async def run(self) -> SendResult:
        """Sends until nothing of the lane may go now."""
        target = self.desk.outside.target(self.endpoint.connection)
        flying: set[asyncio.Task[Settled]] = set()
        done: list[Settled] = []
        try:
            while True:
                room = self.endpoint.in_flight - len(flying)
                claims = await asyncio.to_thread(self._turn, done, room, bool(flying))
                flying |= {asyncio.create_task(self._carry(target, claim)) for claim in claims}
                if not flying:
                    break
                landed, flying = await asyncio.wait(
                    flying, timeout=KEEP_LEASE_EVERY_SECONDS, return_when=asyncio.FIRST_COMPLETED
                )
                done = [task.result() for task in landed]
        finally:
            for task in flying:
                task.cancel()
            await asyncio.gather(*flying, return_exceptions=True)
            await target.close()
        return await asyncio.to_thread(self._result)

    def _turn(self, done: list[Settled], room: int, busy: bool) -> list[Claim]:
        """One transaction: the outcomes that came in are written, and the next parcels marked as under way."""
        with self.desk.ledger.write() as tx:
            self._hold(leases.keep(tx, self.lease))
            self._write_outcomes(tx, done)
            if self.stop is not None:
                return []
            return self._next(tx, room, busy)

    def _write_outcomes(self, tx: Tx, done: list[Settled]) -> None:
        settled = [self._parked_if_hopeless(each) for each in done]
        counted = parcels.settle(tx, self.lease, settled)
        for each in counted:
            self.tally.add(each)
            if each.outcome.state is ParcelState.SPLIT:
                parcels.split(tx, each.claim, self._halves(each.claim))
            if each.outcome.stop:
                self.stop = each.outcome
        self._note_health(tx, [each.outcome for each in settled])
        self._hold_hopeless(tx, counted)
        for delivery_id in deliveries.settle(tx, {each.claim.delivery_id for each in counted}):
            row = deliveries.by_id(tx, delivery_id)
            if row.destination != self.flow.answer:
                owe_answer(tx, row.intake_id, self.flow, row.business_at)

    def _hold_hopeless(self, tx: Tx, counted: list[Settled]) -> None:
        """A file of which three whole chunks were refused and nothing was taken is held, not ground through."""
        if not self.operation.can_split:
            return
        refused = {each.claim.delivery_id for each in counted if each.outcome.state is ParcelState.REJECTED}
        for delivery_id, balance in deliveries.balances(tx, list(refused)).items():
            rows = balance.rejected - deliveries.by_id(tx, delivery_id).rejected_rows
            if not balance.acked and balance.open and rows >= CHUNKS_BEFORE_HOLDING * self.endpoint.rows:
                why = f"{self.endpoint.name} refused the first {rows} rows and took none"
                deliveries.hold(tx, delivery_id, f"{why}; trigger the flow with the file and resend = failed to go on")

    def _parked_if_hopeless(self, each: Settled) -> Settled:
        in_doubt = each.outcome.state is ParcelState.UNKNOWN
        hopeless = in_doubt and (each.claim.tries >= self.endpoint.max_tries or self.endpoint.unknown == "park")
        if not hopeless:
            return each
        text = f"nobody knows whether it took effect after {each.claim.tries} tries: {each.outcome.text}"
        return replace(each, outcome=replace(each.outcome, state=ParcelState.PARKED, code="in_doubt", text=text))

    def _halves(self, claim: Claim) -> list[parcels.Span]:
        staged = self.requests.staged(claim)
        return halves(staged, view_of(claim.destination, claim.generation), claim.first_row, claim.last_row)

    def _note_health(self, tx: Tx, outcomes: list[Outcome]) -> None:
        name = self.endpoint.connection
        for outcome in outcomes:
            if outcome.retry_after is not None:
                targets.asked_to_wait(tx, name, outcome.retry_after)
        failed = [outcome for outcome in outcomes if outcome.target_failed]
        if len(failed) < len(outcomes):
            targets.succeeded(tx, name)
        for outcome in failed:
            targets.failed(tx, name, outcome.text)

    def _next(self, tx: Tx, room: int, busy: bool) -> list[Claim]:
        """The parcels that may go now: of the oldest delivery only, and only one while the target is being tried."""
        health = targets.health(tx, self.endpoint.connection)
        if health.wait_seconds > 0:
            why = health.last_error or "it asked for it"
            self.waiting = f"{self.endpoint.connection} is left alone for {health.wait_seconds:.0f} s: {why}"
            return []
        if health.failures and busy:
            return []
        delivery_id = parcels.next_delivery(tx, self.lease.lane)
        if delivery_id is None:
            return []
        claims = parcels.claim(tx, self.lease, delivery_id, 1 if health.failures else room)
        if not claims and not busy and (wait := parcels.wait_of(tx, delivery_id)) is not None:
            self.waiting = f"the next try is due in {wait:.0f} s"
        return claims

    async def _carry(self, target: RestTarget, claim: Claim) -> Settled:
        """Builds and sends one request, and says what came of it."""
        started, at = self.desk.clock.monotonic(), self.desk.clock.now().timestamp()
        outcome = await self._outcome(target, claim)
        return Settled(claim, outcome, at, self.desk.clock.monotonic() - started)

    async def _outcome(self, target: RestTarget, claim: Claim) -> Outcome:
        call = await asyncio.to_thread(self.requests.build, claim)
        if self.lease_ends - self.desk.clock.monotonic() < LEASE_NEEDED_SECONDS:
            return Outcome(ParcelState.PENDING, "lease_short", "not sent: the lease is nearly over")
        try:
            reply = await target.call(call)
        except (NotSent, Lost) as error:
            return judge_failure(error, claim)
        except Misconfigured as error:
            return Outcome(ParcelState.PENDING, "misconfigured", str(error), wait_seconds=back_off(9), stop=True)
        return judge(reply, claim, self.operation, self.endpoint, self.desk.clock.now())

    def _result(self) -> SendResult:
        with self.desk.ledger.read() as tx:
            left = parcels.open_rows(tx, self.lease.lane)
        if self.stop is not None:
            raise Misconfigured(
                f"{self.endpoint.name} cannot be worked with: {self.stop.text}",
                detail=f"{left} rows wait in {self.lease.lane}",
                fix=f"correct connection {self.endpoint.connection} or the endpoint path, then run the flow again",
            )
        rows = self.tally.rows
        return SendResult(
            self.tally.sent, rows.get(ParcelState.ACKED, 0), rows.get(ParcelState.REJECTED, 0),
            rows.get(ParcelState.PARKED, 0), left, None, self.waiting if left else "",
        )  # fmt: skip
