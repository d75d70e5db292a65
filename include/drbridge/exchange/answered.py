"""Which requests have had their answer, where that comes as a message or a file of its own."""

from __future__ import annotations

from collections.abc import Iterable

from drbridge.contracts import Message
from drbridge.contracts.msg_ack import MsgAck
from drbridge.ledger import standings
from drbridge.ledger.database import Tx
from drbridge.ledger.messages import number_of
from drbridge.ledger.standings import Standing

ANSWERED = "answered"


def note(tx: Tx, messages: Iterable[Message]) -> None:
    """Notes which requests these messages answer, by the numbers of the requests; one may answer several."""
    acks = [each for each in messages if isinstance(each, MsgAck) and each.answers]
    standings.put(
        tx,
        [
            Standing(number_of(ack.answers, request), ack.when_iso.timestamp(), ANSWERED)
            for ack in acks
            for request in ack.answered
        ],
    )


def note_file(tx: Tx, intake_id: int, at: float) -> None:
    """Notes that every row of a file has its answer; the time is seconds since 1970 UTC."""
    standings.put(tx, [Standing(file_key(intake_id), at, ANSWERED)])


def file_key(intake_id: int) -> str:
    """What a file is called among the answered."""
    return f"rows of {intake_id}"
