"""The message that a file of the inbox came with."""

from __future__ import annotations

from drbridge.contracts import Message
from drbridge.contracts.device_reservation import DeviceReservation
from drbridge.contracts.event_status import EventStatus, stage_entity
from drbridge.contracts.posted_file import PostedFile
from drbridge.errors import Interrupted
from drbridge.exchange.desk import Desk
from drbridge.exchange.seal import opened
from drbridge.ledger import messages, standings
from drbridge.ledger.deliveries import lane_of
from drbridge.ledger.messages import entity_key

LONGEST_WAIT_FOR_STAGE_SECONDS = 120.0


def find_envelope(desk: Desk, file_name: str) -> Message | None:
    """The message a file came with; None when it came by itself."""
    with desk.ledger.read() as tx:
        row = messages.of_file(tx, file_name)
    if row is None or row.noun == PostedFile.noun:
        return None
    return opened(desk.seal, row.noun, row.sealed)


def envelope_of(desk: Desk, file_name: str) -> Message:
    """The message a file came with.

    Raises:
        Interrupted: it is not there (yet): its sender was not told that it is stored, and sends it again.
    """
    message = find_envelope(desk, file_name)
    if message is None:
        raise Interrupted(
            f"The message that {file_name} came with is not there",
            fix="have its sender send message and file again; they are put together by themselves",
        )
    return message


def waits_for_stage(desk: Desk, file_name: str, waited_seconds: float) -> bool:
    """Whether a list of reserved devices should wait: its stage is not scheduled at the other side yet.

    Stage and list come as two messages, within moments of each other. After two minutes the list goes all the same, and
    the other side decides.
    """
    message = envelope_of(desk, file_name)
    if not isinstance(message, DeviceReservation) or waited_seconds > LONGEST_WAIT_FOR_STAGE_SECONDS:
        return False
    stage = stage_entity(message.event_id, message.stage_id)
    flows = desk.systems.flows_of_message(EventStatus.noun)
    keys = [entity_key(lane_of(flow.name, flow.destination_of(message.route)), stage) for flow in flows]
    with desk.ledger.read() as tx:
        return bool(keys) and not standings.of(tx, keys)
