"""The kinds of field that several messages share: names with the other systems' lengths, days, times of arrival."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, Field, StringConstraints

from drbridge.contracts.kinds import refusal, shown
from drbridge.contracts.message import Moment

_DAY = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
T = TypeVar("T", date, datetime)


def _written_out(given: Any) -> Any:
    if type(given) is date:
        return given
    if not isinstance(given, str) or not _DAY.fullmatch(given):
        text = shown(given) if isinstance(given, str) else "this"
        raise refusal("not_a_day", f"{text} is not a day as in 2026-07-14")
    try:
        return date.fromisoformat(given)
    except ValueError:
        raise refusal("no_such_day", f"{given} does not exist") from None


Day = Annotated[date, BeforeValidator(_written_out)]
"""A day of the calendar, as in 2026-07-14; no time of day, no zone."""

SentAt = Annotated[Moment, Field(default_factory=lambda: datetime.now(UTC), exclude=True)]
"""When the sender sent it, UTC; where it does not say, when we read it. It orders messages and is not sent on."""

SyncRequestId = Annotated[str, StringConstraints(pattern="^[0-9]{1,14}$")]
"""DACS's number of a change that another system has to hear of: digits; leading zeros count."""

OWN_REQUEST = "removed-[0-9]{8}-[0-9a-f]{12}"
"""How our own requests are numbered, of which DACS knows nothing: an aggregator that it does not have any more."""

NicId = Annotated[str, StringConstraints(min_length=1, max_length=100)]
HeadEndSystem = Annotated[str, StringConstraints(min_length=1, max_length=50)]
DeviceId = Annotated[str, StringConstraints(min_length=1, max_length=12)]

Text12 = Annotated[str, StringConstraints(max_length=12)]
Text14 = Annotated[str, StringConstraints(max_length=14)]
Text24 = Annotated[str, StringConstraints(max_length=24)]
Text30 = Annotated[str, StringConstraints(max_length=30)]
Text254 = Annotated[str, StringConstraints(max_length=254)]
"""Also where no length is published: an address, a name, a specification fit."""

Count = Annotated[int, Field(strict=True, ge=0, le=999_999)]
"""How many, or how many minutes."""


def need_order(start: T | None, end: T | None, names: tuple[str, str]) -> None:
    """Returns unless the end is known and before the start.

    Raises:
        ValueError: it is; names both.
    """
    if start is not None and end is not None and end < start:
        raise ValueError(f"{names[1]} is before {names[0]}")
