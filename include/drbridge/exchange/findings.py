"""What a look after the work finds: said so that a person can act on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

MOST_NAMED = 20


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be.

    Attributes:
        where: the flow and its destination, or the other system.
        what: what is wrong, with names of files and numbers of messages; never anything of what they hold.
        fix: the next step.
    """

    where: str
    what: str
    fix: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}. Next: {self.fix}"


def lasting(span: timedelta) -> str:
    """A length of time in its largest whole unit: 4 hours, 90 minutes."""
    minutes = round(span.total_seconds() / 60)
    for unit, size in (("day", 1440), ("hour", 60)):
        if minutes % size == 0:
            return f"{minutes // size} {unit}" + ("s" if minutes != size else "")
    return f"{minutes} minutes"


def named(names: Sequence[str]) -> str:
    """The first twenty of some names, and how many there are besides."""
    left = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {left} more" if left > 0 else "")
