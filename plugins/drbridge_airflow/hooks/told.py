"""What the hooks' operations give back: what another system said of a request that it took."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Taken:
    """A request was taken.

    Attributes:
        had_it: the other side had it already; nothing changed there.
        verdict_later: the yes or no is still to come, as an acknowledgement of its own.
    """

    had_it: bool = False
    verdict_later: bool = False


@dataclass(frozen=True, slots=True)
class Enrollment:
    """An enrollment, or the end of one, as DACS has it.

    Attributes:
        id: of the enrollment; of the program subscription where the request named that. Empty when DACS does not say.
        status: PENDING, ...
        had_it: DACS had it already; nothing changed there.
    """

    id: str
    status: str
    had_it: bool = False


@dataclass(frozen=True, slots=True)
class Ended:
    """A sync request or a communication that waited for us has ended.

    Attributes:
        id: of the sync request or communication.
        bo_status: its state after it, as the other side calls it.
        had_it: it had ended before; nothing changed there.
    """

    id: str
    bo_status: str
    had_it: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """A program event was made or went one step on.

    Attributes:
        next_actions: what may be asked of it now: X1IP begin, F1CO complete, F1CN cancel.
        had_it: DACS had it already; nothing changed there.
    """

    next_actions: tuple[str, ...]
    had_it: bool = False


@dataclass(frozen=True, slots=True)
class ProgramEvent:
    """A program event as DACS has it.

    Attributes:
        external_identifier: the stage, or the event, as program_event_key in systems.toml says.
        event_external_identifier: the event.
        status: SCHEDULED, IN PROGRESS, COMPLETED or CANCELED.
        start, end: None where DACS does not say it in ISO 8601.
    """

    external_identifier: str
    event_external_identifier: str
    status: str
    start: datetime | None
    end: datetime | None


@dataclass(frozen=True, slots=True)
class Aggregator:
    """An aggregator as another system has it."""

    aggregator_id: str
    external_reference_id: str
    status: str


@dataclass(frozen=True, slots=True)
class Health:
    """Whether a system is well.

    Attributes:
        status: UP when it is.
        version: its release; empty when it does not say.
    """

    status: str
    version: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why what a sync request wanted was not done.

    Attributes:
        comments: for people, at most 254 characters.
        message_number: of the message; 1 names none.
        message_category: of the message; None: default_message_category in systems.toml.
        message_parameters: values that the message speaks of, without `|`.
    """

    comments: str = ""
    message_number: int = 1
    message_category: int | None = None
    message_parameters: tuple[str, ...] = field(default_factory=tuple)


def aggregators_of(data: dict[str, Any]) -> tuple[Aggregator, ...]:
    """The aggregators of a reply that lists them."""
    names = ("aggregatorId", "externalReferenceId", "status")
    return tuple(Aggregator(*(text(each, name) for name in names)) for each in data.get("aggregators", ()))


def moment(data: dict[str, Any], name: str) -> datetime | None:
    """A moment of a reply; None where there is none that we can read."""
    try:
        return datetime.fromisoformat(text(data, name))
    except ValueError:
        return None


def text(data: dict[str, Any], *names: str) -> str:
    """The first of the named members that has a value; empty when none has."""
    return next((str(data[name]) for name in names if data.get(name) is not None), "")
