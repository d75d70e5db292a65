"""Accepting messages: each is written down, sealed, with all it becomes; only then may its sender be told so.

A number stands for one content: the same message again changes nothing, another content under it is refused.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from drbridge.contracts import KEPT, Message
from drbridge.contracts.event_status import EventStatus
from drbridge.contracts.identifiers import identifiers
from drbridge.errors import Misconfigured
from drbridge.exchange import answered
from drbridge.exchange.desk import Desk
from drbridge.exchange.seal import Seal, opened
from drbridge.ledger import messages
from drbridge.ledger.database import Tx
from drbridge.ledger.deliveries import lane_of
from drbridge.ledger.messages import Bound, Letter, hashed, number_of
from drbridge.systems import Flow


@dataclass(frozen=True, slots=True)
class Post:
    """A message as it came, valid.

    Attributes:
        data: the message as it was written; `message` is what we read in it.
        caller: who sent it, by the name it signed in with.
        file_name: of the file it speaks of, which lies in the inbox already: the file goes, the message does not.
    """

    message: Message
    data: dict[str, Any]
    caller: str
    file_name: str = ""

    @property
    def number(self) -> str:
        """What its sender is told it is called."""
        return number_of(self.message.noun, self.message.number)

    @property
    def digest(self) -> str:
        """sha256 of its content: the same however its members are ordered and spaced."""
        return sha256(_text(self.data)).hexdigest()


def read(noun: str, data: Any, caller: str, file_name: str = "") -> Post:
    """A message as it came, with or without the frame that some systems put around it.

    Args:
        file_name: of the file it speaks of, if that is what goes.

    Raises:
        pydantic.ValidationError: it is not as agreed.
    """
    kind = KEPT[noun]
    inside = kind.unwrapped(data)
    message = kind.model_validate(inside)
    return Post(message, inside, caller, file_name)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a post: written down now, known from before, or refused because its number stands for another."""

    number: str
    is_new: bool = False
    is_other: bool = False


def is_known(desk: Desk, post: Post) -> bool:
    """Whether a message of this number was written down before."""
    with desk.ledger.read() as tx:
        return bool(messages.by_number(tx, [post.number]))


def accept(desk: Desk, posts: Sequence[Post]) -> list[Receipt]:
    """Writes posts down in one transaction; the receipts are in their order.

    Raises:
        Misconfigured: no flow that is switched on takes such a message.
    """
    with desk.ledger.write() as tx:
        messages.one_after_the_other(tx)
        known = {number: row.sha256 for number, row in messages.by_number(tx, [post.number for post in posts]).items()}
        receipts, letters = list[Receipt](), list[Letter]()
        for post in posts:
            receipts.append(_receipt(post, known.get(post.number)))
            if post.number in known:
                continue
            known[post.number] = post.digest
            if _speaks_of_others(post.message):
                _write(tx, letters)
            letters.append(_letter(desk, tx, post))
        _write(tx, letters)
        answered.note(tx, [post.message for post, receipt in zip(posts, receipts, strict=True) if receipt.is_new])
    return receipts


def _speaks_of_others(message: Message) -> bool:
    """Whether it is about messages that came before it, those of the same transaction among them."""
    return isinstance(message, EventStatus) and message.stage_id is None


def _write(tx: Tx, letters: list[Letter]) -> None:
    if letters:
        messages.add(tx, letters)
    letters.clear()


def _receipt(post: Post, digest: str | None) -> Receipt:
    return Receipt(post.number, is_new=digest is None, is_other=digest not in (None, post.digest))


def _letter(desk: Desk, tx: Tx, post: Post) -> Letter:
    message, data, seal = post.message, post.data, desk.seal
    if isinstance(message, EventStatus):
        message = _with_its_stages(tx, seal, message)
        data = data | {"stages": list(message.stages)}
    content = _text(data)
    return Letter(
        noun=message.noun, number=post.number, sha256=post.digest, sealed=seal.close(content), bytes=len(content),
        caller=post.caller, business_at=message.happened_at.timestamp(), belongs_to=_group(message),
        parts=[(part.entity, part.order_at.timestamp()) for part in message.parts()],
        bound=[] if post.file_name else [_bound(flow, message) for flow in _flows(desk, message)],
        file_name=post.file_name, marks={seal.mark(name) for _, name in identifiers(data)},
    )  # fmt: skip


def _text(data: Any) -> bytes:
    return json.dumps(data, sort_keys=True, separators=(",", ":")).encode()


def _flows(desk: Desk, message: Message) -> list[Flow]:
    flows = desk.systems.flows_of_message(message.noun)
    if not flows:
        raise Misconfigured(
            f"No flow takes messages of the kind {message.noun}",
            detail=f"the release is {desk.systems.site.profile}",
            fix="switch the release in systems.toml, or have the sender stop",
        )
    return flows


def _bound(flow: Flow, message: Message) -> Bound:
    destination = flow.destination_of(message.route)
    return Bound(flow.name, destination, lane_of(flow.name, destination))


def _group(message: Message) -> str | None:
    return hashed("group", message.noun, message.group) if message.group else None


def _with_its_stages(tx: Tx, seal: Seal, message: EventStatus) -> EventStatus:
    """A cancelled event names no stages: they are those that messages before it spoke of."""
    group = _group(message)
    if message.stage_id is not None or group is None:
        return message.model_copy(update={"stages": ()})
    before = (opened(seal, row.noun, row.sealed) for row in messages.belonging_to(tx, group) if row.sealed)
    stages = {each.stage_id: None for each in before if isinstance(each, EventStatus) and each.stage_id}
    return message.model_copy(update={"stages": tuple(stages)})
