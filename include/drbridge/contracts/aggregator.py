"""Aggregators: companies that bring many customers' devices, from DACS to DERMS."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime
from hashlib import sha256
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from drbridge.contracts.fields import OWN_REQUEST, Day, Text24, Text254, need_order
from drbridge.contracts.message import Body, Key, Member, Message, Moment, Part, entity_of, filled, iso, sent

MOST_OFFERINGS = 500
AggregatorRequest = Annotated[str, StringConstraints(pattern=f"^([0-9]{{1,14}}|{OWN_REQUEST})$")]
"""DACS's number of the change, or ours when DACS does not speak of it."""


class Contact(Member):
    """Whom to call."""

    contact_id: Text254 | None = None
    name: Text254 | None = None
    email: Text254 | None = None
    phone: Text24 | None = None


class ProgramOffering(Member):
    """A program the aggregator offers to its customers."""

    program_code: Text254
    start_date: Day | None = None
    end_date: Day | None = None

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Self:
        need_order(self.start_date, self.end_date, ("startDate", "endDate"))
        return self


class Certification(Member):
    """A proof that the aggregator may do it."""

    type: Text254 | None = None
    number: Text254 | None = None
    expiry_date: Day | None = None


class Aggregator(Message):
    """An aggregator as it is after a change (our definition; the payload is not published).

    DACS sends nothing when one is deleted: a nightly comparison finds that and numbers it itself.
    changeDateTime is required: without it nobody could tell which of two messages is the newer.
    """

    noun: ClassVar[str] = "aggregator"
    title: ClassVar[str] = "Aggregator"
    numbered_by: ClassVar[str] = "sync_request_id"

    sync_request_id: AggregatorRequest = Field(serialization_alias="dacsMessageId")
    change_date_time: Moment = Field(exclude=True)
    aggregator_id: Key | None = None
    external_reference_id: Key
    external_system: Text254 | None = None
    our_name_in_their_system: Text254 | None = None
    service_provider_type: Text254 | None = None
    status: Literal["ACTIVE", "INACTIVE"]
    start_date: Day | None = None
    end_date: Day | None = None
    contact: Contact = Contact()
    program_offerings: Annotated[tuple[ProgramOffering, ...], Field(max_length=MOST_OFFERINGS)] = ()
    certification: Certification = Certification()
    protocol: Literal["IEEE2030.5", "OPENADR", "OTHER"] | None = None

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Self:
        need_order(self.start_date, self.end_date, ("startDate", "endDate"))
        return self

    @property
    def is_ours(self) -> bool:
        """Whether we found the change ourselves: DACS knows nothing of it, and expects no answer."""
        return re.fullmatch(OWN_REQUEST, self.sync_request_id) is not None

    @property
    def happened_at(self) -> datetime:
        return self.change_date_time

    def parts(self) -> Sequence[Part]:
        """One, about the aggregator."""
        return (Part(entity_of("aggregator", self.external_reference_id), self.change_date_time),)


def to_derms_aggregator(message: Aggregator) -> Body:
    """The body of DERMS's aggregator service."""
    return sent(message)


def own_number(external_reference_id: str, found_on: date) -> str:
    """Our number of the message that an aggregator is gone: one for each aggregator and day."""
    digest = sha256(external_reference_id.encode()).hexdigest()
    return f"removed-{found_on:%Y%m%d}-{digest[:12]}"


def removed(aggregator_id: str | None, external_reference_id: str, found_at: datetime) -> Body:
    """The message, as DACS would send it, that it has an aggregator no longer.

    Args:
        found_at: when its absence was found, UTC; the day counts as its last.
    """
    return filled({
        "syncRequestId": own_number(external_reference_id, found_at.date()),
        "changeDateTime": iso(found_at),
        "aggregatorId": aggregator_id,
        "externalReferenceId": external_reference_id,
        "status": "INACTIVE",
        "endDate": found_at.date().isoformat(),
    })


def to_derms_aggregator_removed(
    aggregator_id: str | None, external_reference_id: str, end_date: date, number: str
) -> Body:
    """The body of DERMS's aggregator service for one that DACS no longer has.

    Args:
        end_date: the day on which its absence was found.
        number: our own number of the message.
    """
    return filled({
        "dacsMessageId": number,
        "aggregatorId": aggregator_id,
        "externalReferenceId": external_reference_id,
        "status": "INACTIVE",
        "endDate": end_date.isoformat(),
    })
