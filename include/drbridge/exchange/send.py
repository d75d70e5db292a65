"""Sending what a flow has to deliver, and answering those who sent it."""

from __future__ import annotations

import logging
from collections.abc import Container
from dataclasses import replace

from drbridge import loop
from drbridge.contracts import MESSAGES
from drbridge.errors import Misconfigured, NotKnownThere
from drbridge.exchange.desk import Desk
from drbridge.exchange.lanes import working_on
from drbridge.exchange.lineup import FileByFile, Lineup, SideBySide
from drbridge.exchange.requests import Requests
from drbridge.exchange.resend import calls_again, reopen
from drbridge.exchange.sender import Sender
from drbridge.exchange.tally import SendResult
from drbridge.exchange.work import Work
from drbridge.ledger import leases, parcels, queue, targets
from drbridge.ledger.database import Tx
from drbridge.ledger.deliveries import lane_of
from drbridge.ledger.leases import Lease
from drbridge.systems import Endpoint, Flow

LINGER_SECONDS = 5.0
AHEAD = {"resend": 1_000, "query": 16, "park": 0}
"""How many more than may be on the wire are marked as under way, at most. What a lost worker had under way is in doubt:
sent again, asked about one by one, or a person's work."""

Place = tuple[int | None, int]
"""The lane's oldest delivery, and a share of it."""

OPENED = "Opened %d deliveries (resend %s, asked by %s)"
NONE_OPENED = f"{OPENED}: `drbridge inbox show` tells what became of a message"

log = logging.getLogger(__name__)


def send(desk: Desk, flow_name: str, work: Work) -> SendResult:
    """Drains every open delivery of the flow to its REST endpoints.

    A flow of messages has no task before this one, so what the run asks to have sent again is opened here.

    Raises:
        Misconfigured: an endpoint cannot be worked with (credentials, path); what was settled before is kept.
    """
    flow = desk.systems.flow(flow_name)
    if flow.message:
        again = reopen(desk, flow_name, work)
        if work.resend != "nothing" and not work.dry_run:
            log.info(OPENED if again.deliveries else NONE_OPENED, again.deliveries, work.resend, work.who)
        if again.without_content:
            raise NotKnownThere(
                f"Not sent again, for its content was deleted: {', '.join(again.without_content)}",
                fix="have its sender send it anew, under a new number; the rest of what was asked goes on",
            )
    endpoints = [each for name in flow.deliver if isinstance(each := desk.systems.destination(name), Endpoint)]
    return _drain_all(desk, flow, endpoints, work)


def answer(desk: Desk, flow_name: str, work: Work) -> SendResult:
    """Sends the acknowledgements that the flow owes its senders; if a sender is down they wait."""
    flow = desk.systems.flow(flow_name)
    owed = [] if flow.answer is None else [desk.systems.endpoints[flow.answer]]
    return _drain_all(desk, flow, owed, work)


def who_sends(desk: Desk, flow_name: str) -> str | None:
    """Who is sending the flow's work now; None when nobody is."""
    flow = desk.systems.flow(flow_name)
    with desk.ledger.read() as tx:
        holders = [leases.holder_of(tx, lane_of(flow.name, name)) for name in flow.deliver]
    return next(filter(None, holders), None)


def _drain_all(desk: Desk, flow: Flow, endpoints: list[Endpoint], work: Work) -> SendResult:
    """Works on each endpoint; one that cannot be worked with does not keep the others from theirs."""
    total, wrong = SendResult(), None
    for endpoint in endpoints:
        try:
            total = total + (
                _preview(desk, flow, endpoint, work) if work.dry_run else _drain(desk, flow, endpoint, work)
            )
        except Misconfigured as error:
            wrong = wrong or error
    if wrong is not None:
        raise wrong
    return total


def _drain(desk: Desk, flow: Flow, endpoint: Endpoint, work: Work) -> SendResult:
    lane = lane_of(flow.name, endpoint.name)
    if work.by_hand:
        with desk.ledger.write() as tx:
            leases.lock(tx, lane)
            targets.try_again_now(tx, endpoint.connection, endpoint.name)
            parcels.hurry(tx, lane)
    return _drain_shares(desk, flow, endpoint, work, lane)


def _drain_shares(desk: Desk, flow: Flow, endpoint: Endpoint, work: Work, lane: str) -> SendResult:
    """Works on one share after the other, whichever is free, until nothing of any may go now."""
    total, looked_at, waiting, answered = SendResult(), set[Place](), "", False
    while (place := next_place(desk, lane, looked_at)) is not None:
        looked_at.add(place)
        with working_on(desk, lane, place[1]) as lease:
            if lease is None:
                continue
            with desk.ledger.write() as tx:
                take_over(tx, endpoint, lease)
            sender = Sender(desk, flow, endpoint, lease, lineup_of(desk, flow, endpoint, work), answered)
            result = loop.run(sender.run())
        total, waiting, answered = total + result, result.waiting or waiting, sender.tally.answered
        if sender.stop or sender.lineup.lasts_seconds is not None:
            break
    with desk.ledger.read() as tx:
        others = leases.holder_of(tx, lane)
        left = 0 if others else parcels.open_rows(tx, lane)
    return replace(total, open_left=left, held_by=others, waiting=waiting if left else "")


def next_place(desk: Desk, lane: str, looked_at: Container[Place] = ()) -> Place | None:
    """Where something may go now, in the lane's oldest delivery; not where this worker has looked before.

    The first look is worth a lease though nothing may go: what a lost worker had under way is judged then.
    """
    with desk.ledger.read() as tx:
        oldest = queue.next_delivery(tx, lane)
        shares = [] if oldest is None else queue.shares_to_move(tx, oldest)
    places = [(oldest, share) for share in shares or ([] if looked_at else [0])]
    return next((place for place in places if place not in looked_at), None)


def take_over(tx: Tx, endpoint: Endpoint, lease: Lease) -> None:
    """Whatever the holder before us had under way is in doubt now, and treated by the endpoint's policy.

    Raises:
        Fenced: another worker has taken the lane meanwhile.
    """
    leases.keep(tx, lease)
    parcels.doubt_older_epochs(tx, lease)
    if endpoint.unknown == "park":
        parcels.park_doubtful(tx, lease)


def lineup_of(desk: Desk, flow: Flow, endpoint: Endpoint, work: Work) -> Lineup:
    """Chunks of files keep the order of the files; messages and answers go side by side."""
    is_paced = desk.systems.calls_per_second(endpoint.connection) is not None
    ahead = 0 if is_paced else AHEAD[endpoint.unknown]  # a permit is for now: what has one must not wait in hand
    if endpoint.name == flow.answer:
        return SideBySide(desk, 0.0, ahead)
    if flow.message:
        waits_for_more = not work.by_hand and endpoint.name == flow.deliver[-1]
        return SideBySide(desk, LINGER_SECONDS if waits_for_more else 0.0, ahead)
    return FileByFile(ahead)


def _preview(desk: Desk, flow: Flow, endpoint: Endpoint, work: Work) -> SendResult:
    requests = Requests(desk, endpoint)
    with desk.ledger.read() as tx:
        claims = queue.waiting(tx, lane_of(flow.name, endpoint.name))
        claims += calls_again(desk, tx, flow, endpoint.name, work)
    readable = [claim for claim in claims if claim.sealed or claim.noun not in MESSAGES]
    return SendResult(open_left=sum(claim.rows for claim in claims), calls=tuple(map(requests.preview, readable)))
