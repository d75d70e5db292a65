"""Acknowledgements that come as messages: what a system made of the changes and questions it was sent."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from drbridge.contracts.fields import OWN_REQUEST, DeviceId
from drbridge.contracts.message import Body, Key, Member, Message, Moment, Part, sent

AckType = Literal["SUCCESS", "ERROR", "FAILURE"]
MOST_RESPONSES = 500
LONGEST_COMMENT = 254
UNSPECIFIED = 1
"""The message number of an error that names none."""

Text = Annotated[str, Field(max_length=2000)]


class Response(Member):
    """What was made of one record."""

    id: Text | None = None
    value: Text | None = None
    response_code: AckType | None = None
    dacs_message_id: Key | None = None


class HeadEndStatus(Member):
    """Whether a device is registered where it is talked to (25.10)."""

    device_id: DeviceId
    head_end_registration: Literal["D1RE", "D1NR", "D1DR"]
    message: Text | None = None


class MsgAck(Message):
    """An acknowledgement of one or several requests: sync requests, or a device status check (guide 22C, its frame).

    `responses` may also be written as `{"response": [...]}`.

    Attributes:
        asked: how the number of a request that is answered looks.
        answers: the noun of those requests; empty when they do not come as messages.
    """

    frame: ClassVar[str] = "MsgAck"
    asked: ClassVar[str] = "[0-9]{1,14}"
    answers: ClassVar[str] = ""

    message_id: Key | None = None
    dacs_message_id: Key | None = None
    ack_type: AckType
    when_iso: Moment = Field(alias="whenISO")
    responses: Annotated[tuple[Response, ...], Field(max_length=MOST_RESPONSES)] = ()
    device_headend_status: Annotated[tuple[HeadEndStatus, ...], Field(max_length=MOST_RESPONSES)] = ()

    @field_validator("responses", mode="before")
    @classmethod
    def _without_inner_frame(cls, given: Any) -> Any:
        return given.get("response") or () if isinstance(given, Mapping) else given

    @model_validator(mode="after")
    def _answers_something(self) -> Self:
        if any(each.dacs_message_id is None for each in self.responses) and self.dacs_message_id is None:
            raise ValueError("dacsMessageId is missing: it is not known which request is answered")
        if not self.answered:
            raise ValueError("neither responses nor dacsMessageId: it is not known which request is answered")
        for request in self.answered:
            if not re.fullmatch(self.asked, request):
                raise ValueError(f"dacsMessageId {request!r} is not the number of a request")
        if self.device_headend_status and len(self.answered) > 1:
            raise ValueError("deviceHeadendStatus does not say of which request: send one message for each")
        return self

    @property
    def answered(self) -> Sequence[str]:
        """The requests that are answered, in the order of the message."""
        named = [each.dacs_message_id or self.dacs_message_id for each in self.responses] or [self.dacs_message_id]
        return tuple(dict.fromkeys(each for each in named if each is not None))

    @property
    def number(self) -> str:
        """messageId; without it what is answered first, and when."""
        if self.message_id is not None:
            return self.message_id
        when = self.when_iso.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds")
        return f"{self.dacs_message_id or self.answered[0]}@{when}Z"

    @property
    def happened_at(self) -> datetime:
        return self.when_iso

    def parts(self) -> Sequence[Part]:
        """One for each request that is answered."""
        return tuple(Part("", self.when_iso) for _ in self.answered)

    def is_ours(self, part: int) -> bool:
        """Whether the request that a part answers was our own: DACS knows nothing of it."""
        return re.fullmatch(OWN_REQUEST, self.answered[part]) is not None

    def error_of(self, part: int) -> str | None:
        """Why a request was refused; None when it was not. FAILURE counts as a refusal."""
        request = self.answered[part]
        mine = [each for each in self.responses if (each.dacs_message_id or self.dacs_message_id) == request]
        for each in mine or [Response()]:
            code = each.response_code or self.ack_type
            if code != "SUCCESS":
                return each.value or f"{code} without a reason"
        return None


class EnrollmentAckMessage(MsgAck):
    """What DERMS made of enrollment changes."""

    noun: ClassVar[str] = "enrollment_ack_message"
    title: ClassVar[str] = "Enrollment acknowledgement"
    answers: ClassVar[str] = "enrollment_change"


class DeviceStatusAck(MsgAck):
    """Whether a device that DACS asked for can be reached."""

    noun: ClassVar[str] = "device_status_ack"
    title: ClassVar[str] = "Device status acknowledgement"
    asked: ClassVar[str] = "(?s:.{1,30})"
    answers: ClassVar[str] = "device_status_check"


class ProgramRulesAck(MsgAck):
    """What DERMS made of program rules."""

    noun: ClassVar[str] = "program_rules_ack"
    title: ClassVar[str] = "Program rules acknowledgement"
    answers: ClassVar[str] = "program_rules"


class AggregatorAck(MsgAck):
    """What DERMS made of an aggregator."""

    noun: ClassVar[str] = "aggregator_ack"
    title: ClassVar[str] = "Aggregator acknowledgement"
    asked: ClassVar[str] = f"[0-9]{{1,14}}|{OWN_REQUEST}"
    answers: ClassVar[str] = "aggregator"


class CustomersAck(MsgAck):
    """What DACS made of customers of the CIS."""

    noun: ClassVar[str] = "customers_ack"
    title: ClassVar[str] = "Customers acknowledgement"


def update_sync_request(sync_request_id: str, error: str | None, default_category: int) -> Body:
    """The body of Update Sync Request: whether what DACS wanted was done.

    Args:
        error: why not, cut to 254 characters; None when it was.
        default_category: the message category of an error that names none.
    """
    body: Body = {"syncRequestId": sync_request_id, "hasError": error is not None}
    if error is None:
        return body
    exception: Body = {"sequence": 1, "messageCategory": default_category, "messageNumber": UNSPECIFIED}
    if error:
        exception["comments"] = error[:LONGEST_COMMENT]
    return {**body, "exceptionInfo": [exception]}


def to_update_sync_request(message: MsgAck, part: int, default_category: int) -> Body:
    """The body of Update Sync Request for one of the requests that are answered."""
    return update_sync_request(message.answered[part], message.error_of(part), default_category)


def to_post_acknowledgement(message: MsgAck, part: int, default_category: int) -> Body:
    """The body of Post Acknowledgement (25.10): the same, and how each device is registered."""
    body = to_update_sync_request(message, part, default_category)
    if message.device_headend_status:
        body["deviceHeadendStatus"] = [sent(each) for each in message.device_headend_status]
    return body


def device_status_response(transaction_id: str, is_there: bool) -> Body:
    """The body of Post Controllable Device Status Check: whether the device can be reached."""
    status = "SUCCESS" if is_there else "FAILURE"
    return {"responseDetail": {"transactionId": transaction_id, "result": {"status": status}}}


def to_device_status_response(message: MsgAck, part: int) -> Body:
    """The same for one of the checks that are answered."""
    return device_status_response(message.answered[part], message.error_of(part) is None)
