"""The base of every message: who sends what, under which number, and what of it goes out as one request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Any, ClassVar
from urllib.parse import quote

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    StringConstraints,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel

from drbridge.contracts.kinds import Instant, refusal

Body = dict[str, Any]


def _written_out(given: Any) -> Any:
    """A number is no time: nobody said what it counts, and from when."""
    if isinstance(given, str):
        return Instant().parse(given)
    if isinstance(given, datetime):
        return given
    raise refusal("not_a_time", "not a date and time as in 2026-07-14T18:00:00Z")


def _in_calendar(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("the first and last hours of the calendar have no UTC equivalent") from None


def _is_text(text: str) -> bool:
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, as JSON's \ud800 makes it
        return False


Moment = Annotated[AwareDatetime, BeforeValidator(_written_out), AfterValidator(_in_calendar)]
"""A moment with its offset, kept in UTC; one without an offset is refused."""

Key = Annotated[str, StringConstraints(min_length=1, max_length=120)]
"""An identifier: always text, never empty."""


@dataclass(frozen=True, slots=True)
class Part:
    """What of a message goes out as one request of its own.

    Attributes:
        entity: whom or what it speaks of (a subscription, a stage): requests of one entity go one after the other, the
            older first, and one that a newer has overtaken does not go. Empty: the order does not matter.
        order_at: its place among the messages about the entity.
    """

    entity: str
    order_at: datetime


class Member(BaseModel):
    """A group of fields inside a message; members that nobody agreed on are passed over."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True, hide_input_in_errors=True
    )

    @model_validator(mode="before")
    @classmethod
    def _blank_is_absent(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        return {name: value for name, value in data.items() if value is not None and value != ""}

    @field_validator("*")
    @classmethod
    def _can_be_kept(cls, value: Any) -> Any:
        for text in value if isinstance(value, tuple) else (value,):
            if isinstance(text, str) and not _is_text(text):
                raise refusal("not_text", "the text holds a NUL or half a character, which no database keeps")
        return value


class Message(Member):
    """One message as its sender publishes it.

    Attributes:
        noun: its name in systems.toml, in the ledger, in the path of the inbox.
        title: what it is, for the pages that describe it.
        frame: the member that some senders put around it; empty when none does.
        numbered_by: the field that holds the sender's own number of the message.
    """

    noun: ClassVar[str]
    title: ClassVar[str]
    frame: ClassVar[str] = ""
    is_collection: ClassVar[bool] = False
    numbered_by: ClassVar[str] = "message_id"

    @property
    def number(self) -> str:
        """The sender's own number of the message: one number, one content."""
        return str(getattr(self, self.numbered_by))

    @property
    def happened_at(self) -> datetime:
        """When what it tells of happened: its business date, UTC."""
        raise NotImplementedError

    @property
    def group(self) -> str:
        """What several messages belong to (the event of a stage); empty when nothing."""
        return ""

    @property
    def route(self) -> str:
        """What chooses among several instances of the other side (a division); empty when nothing."""
        return ""

    def parts(self) -> Sequence[Part]:
        """The requests it becomes, in the order in which their answers are collected."""
        return (Part("", self.happened_at),)

    @classmethod
    def unwrapped(cls, data: Any) -> Any:
        """The message inside the frame that some systems put around it."""
        return data.get(cls.frame, data) if cls.frame and isinstance(data, Mapping) else data


def entity_of(kind: str, *names: str) -> str:
    """Whom a request speaks of, as one text: different names never make the same, whatever is in them."""
    return " ".join((kind, *(quote(name, safe=":-._~") for name in names)))


def iso(moment: datetime) -> str:
    """A moment as the other systems' REST services take it: 2026-07-14T20:00:00Z."""
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='seconds')}Z"


def sent(member: Member) -> Body:
    """A message, or a group of its fields, as it goes out: under the names of the other side, times in UTC.

    Fields without a value are left out.
    """
    body: Body = _plain(member.model_dump(by_alias=True, exclude_defaults=True))
    return body


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, tuple) else value


def filled(fields: Mapping[str, Any]) -> Body:
    """Only the fields that have a value: absent and empty are the same to the other side."""
    return {name: value for name, value in fields.items() if value is not None and value != "" and value != []}
