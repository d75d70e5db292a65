"""Whether a message may still go, by what the other side has of the entity it speaks of."""

from __future__ import annotations

from collections.abc import Sequence

from drbridge.contracts import MESSAGES, Message, stage_path
from drbridge.contracts.aggregator import Aggregator
from drbridge.contracts.event_status import EventStatus, event_entity
from drbridge.contracts.msg_ack import AggregatorAck
from drbridge.contracts.stage_path import Kind, Reached
from drbridge.errors import DrBridgeError
from drbridge.exchange.outcomes import judge_unbuilt
from drbridge.exchange.seal import Seal, opened
from drbridge.ledger import queue, standings
from drbridge.ledger.database import Tx
from drbridge.ledger.messages import entity_key
from drbridge.ledger.parcels import WAITS, Claim, Outcome
from drbridge.ledger.standings import Standing
from drbridge.ledger.states import ParcelState

LONGEST_WAIT_FOR_PREDECESSOR_SECONDS = 900.0
NEWER_IN_DOUBT = "a newer one about the same is in doubt: a person has to find out first whether that took effect"

STATES: dict[Kind, ParcelState] = {
    "known": ParcelState.ACKED, "overtaken": ParcelState.SUPERSEDED, "refused": ParcelState.REJECTED,
    "doubt": ParcelState.PARKED, "wait": ParcelState.PENDING,
}  # fmt: skip


def judged(tx: Tx, seal: Seal, lane: str, claims: Sequence[Claim]) -> list[Claim]:
    """The claims, each with what is decided of it without a call, or with what it brings about if it is sent."""
    of_entities = [claim.entity for claim in claims if claim.entity]
    known = standings.of(tx, of_entities) if of_entities else {}
    doubtful = queue.newest_in_doubt(tx, of_entities) if of_entities else {}
    return [
        _without_call(claim, "doubt", NEWER_IN_DOUBT)
        if not claim.in_doubt and claim.order_at < doubtful.get(claim.entity or "", claim.order_at)
        else _judge_alone(tx, seal, lane, claim, known.get(claim.entity or ""))
        for claim in claims
    ]


def _judge_alone(tx: Tx, seal: Seal, lane: str, claim: Claim, standing: Standing | None) -> Claim:
    """One whose content cannot be read does not stop the others of its lane."""
    try:
        return _judge(tx, seal, lane, claim, standing)
    except (DrBridgeError, ValueError) as error:
        outcome = judge_unbuilt(error, claim)
        state = ParcelState.UNKNOWN if claim.in_doubt else outcome.state
        return claim._replace(decided=outcome._replace(state=state))


def _judge(tx: Tx, seal: Seal, lane: str, claim: Claim, standing: Standing | None) -> Claim:
    if not claim.sealed and claim.noun in MESSAGES:
        return _without_call(claim, "doubt", "its content was deleted, its time is over: have its sender send it anew")
    if not claim.entity and claim.noun in (Aggregator.noun, AggregatorAck.noun):
        return _of_aggregators(seal, claim)
    if not claim.entity:
        return claim
    if claim.noun == EventStatus.noun:
        return _stage(tx, lane, claim, opened(seal, claim.noun, claim.sealed), standing)
    if standing is not None and standing.order_at > claim.order_at:
        return _without_call(claim, "overtaken", "a newer change of it has taken effect at the other side")
    return claim._replace(reaches="")


def _of_aggregators(seal: Seal, claim: Claim) -> Claim:
    """Answers to what DACS never sent do not go there."""
    message = opened(seal, claim.noun, claim.sealed)
    is_ours = isinstance(message, AggregatorAck) and message.is_ours(claim.first_row)
    if is_ours or (isinstance(message, Aggregator) and message.is_ours):
        return _without_call(claim, "known", "it answers a request of our own, of which DACS knows nothing")
    return claim


def _stage(tx: Tx, lane: str, claim: Claim, message: Message, standing: Standing | None) -> Claim:
    """What a part of an event status means.

    A whole event is cancelled as soon as the message that says so is accepted, though older ones may still wait. One in
    doubt is judged by its stage alone, as when it was sent: nothing of the stage has moved since.
    """
    assert isinstance(message, EventStatus)
    if message.stage_of(claim.first_row) is None:
        return _without_call(claim, "known", "an event is cancelled by its stages")
    reached = Reached.from_text(standing.state) if standing else None
    event = entity_key(lane, event_entity(message.event_id))
    found = stage_path.step(message, reached, None if claim.in_doubt else queue.newest_of(tx, event))
    with_event = message.stage_id is None and reached is None
    if with_event and found.kind == "overtaken" and queue.is_in_doubt(tx, claim.entity):
        return _waiting(claim, "a person has to find out whether the stage was scheduled there")
    if found.kind == "wait":
        return _waiting(claim, found.why)
    if found.kind == "send":
        return claim._replace(reaches=stage_path.after(message, reached).as_text())
    return _without_call(claim, found.kind, found.why)


def _waiting(claim: Claim, why: str) -> Claim:
    """It waits a quarter of an hour for what comes before it, then for a person."""
    left = claim.opened_at + LONGEST_WAIT_FOR_PREDECESSOR_SECONDS - claim.at
    if left <= 0:
        return _without_call(claim, "doubt", f"{why}, which did not come within 15 minutes")
    waits = Outcome(ParcelState.PENDING, WAITS, why, wait_seconds=left, was_sent=False)
    return claim._replace(decided=waits)


def _without_call(claim: Claim, kind: Kind, why: str) -> Claim:
    return claim._replace(decided=Outcome(STATES[kind], kind, why, was_sent=False))


def took_effect(tx: Tx, done: Sequence[tuple[Claim, Outcome]]) -> list[str]:
    """Notes what the other side has now; returns the entities that came a step further on their path."""
    moved = [
        Standing(claim.entity, claim.order_at, claim.reaches)
        for claim, outcome in done
        if claim.entity and claim.reaches is not None and outcome.state is ParcelState.ACKED
    ]
    standings.put(tx, moved)
    return [each.entity for each in moved if each.state]
