"""What a person is asked about, and how it is worded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from sqlalchemy import Row

from drbridge.exchange.desk import Desk
from drbridge.exchange.notices import printable
from drbridge.ledger import deliveries
from drbridge.ledger.database import Tx
from drbridge.ledger.tables import deliveries as table

LEAVE = "Leave it"
REFUSE = "Refuse it"
MOST_CODES = 10
NO_REASON = "no reason given"


@dataclass(frozen=True)
class Question:
    """Something that waits for a person.

    Attributes:
        key: kind, delivery and which of its troubles: the same trouble is asked about once, a later one anew.
        flow: whose it is; empty when it is over.
        name: the file, or the message by its number.
        title: what happened, in a word or two.
        text: why it waits, how many rows are where, and the commonest reasons, by their codes.
        choices: what may be decided.
    """

    key: str
    flow: str
    name: str
    title: str
    text: str
    choices: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"choices": list(self.choices)}


class Kind(Protocol):
    """One kind of thing that a person decides about."""

    def waiting(self, desk: Desk, tx: Tx) -> list[Question]:
        """All that wait now."""
        ...

    def decide(self, desk: Desk, row: Row[Any], choice: str, who: str, why: str) -> str:
        """Does what was chosen, and says what became of it.

        Args:
            row: the delivery, as `deliveries.with_intakes` gives it.

        Raises:
            DrBridgeError: it cannot be done; nothing was.
        """
        ...


def delivery_in(key: str) -> int:
    """The number of the delivery that a question is about."""
    return int(key.split()[1].split(".")[0])


def row_of(tx: Tx, delivery_id: int) -> Row[Any] | None:
    """A delivery beside what it carries."""
    return tx.execute(deliveries.with_intakes().where(table.c.id == delivery_id)).first()


def worded(row: Row[Any], rows: str, why: str, codes: Mapping[str, int], choices: Mapping[str, str]) -> str:
    """The page of a question, in our own words and codes only: the other side's may name customers.

    Args:
        choices: what may be decided, and what each means.
    """
    found = ", ".join(f"{code} {count} times" for code, count in Counter(codes).most_common(MOST_CODES))
    lines = (
        f"`{row.flow}` to `{row.destination}`: {rows}.",
        f"{printable(why)}.",
        f"Reasons, by their codes: {found or 'none'}.",
        f"More: `drbridge ledger show {row.id}`, or the runs of [{row.flow}](/dags/{row.flow}).",
        " ".join(f"**{choice}**: {meaning}." for choice, meaning in choices.items()),
    )
    return "\n\n".join(lines)
