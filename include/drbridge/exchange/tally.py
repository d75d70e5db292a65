"""What one sender has done: counted while it works, and told at its end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field

from drbridge.exchange.outcomes import LATER, LEFT_ALONE, NOT_BUILT
from drbridge.ledger.parcels import WAITS, Claim, Settled
from drbridge.ledger.states import MOVING, ParcelState

MOST_TROUBLES = 20
ANSWERED = (ParcelState.ACKED, ParcelState.REJECTED, ParcelState.SPLIT)  # the target understood the request


@dataclass(frozen=True)
class SendResult:
    """What one sender did.

    Attributes:
        open_left: rows that still have to go when it stopped.
        held_by: the worker that holds the lane, when it was not ours.
        waiting: why it stopped with rows left, in words.
        calls: what would be sent, in a dry run.
        troubles: the first files of which something was refused, parked or held, each with the reason.
        handed_on: its time was up, the other side works, and the next run goes on with what is left.
    """

    sent: int = 0
    acked: int = 0
    rejected: int = 0
    parked: int = 0
    open_left: int = 0
    held_by: str | None = None
    waiting: str = ""
    calls: tuple[dict[str, object], ...] = ()
    troubles: tuple[str, ...] = ()
    handed_on: bool = False

    def as_dict(self) -> dict[str, object]:
        return asdict(self)

    def __add__(self, other: SendResult) -> SendResult:
        return SendResult(
            self.sent + other.sent, self.acked + other.acked, self.rejected + other.rejected,
            self.parked + other.parked, self.open_left + other.open_left, self.held_by or other.held_by,
            "; ".join(filter(None, (self.waiting, other.waiting))), self.calls + other.calls,
            (self.troubles + other.troubles)[:MOST_TROUBLES], self.handed_on or other.handed_on,
        )  # fmt: skip


@dataclass
class Tally:
    """What the sender has done so far.

    Attributes:
        taken: deliveries of which something was taken.
        setback: why the last parcel that has to go again did not make it.
        troubles: by file, why a person should look at it.
    """

    sent: int = 0
    answered: bool = False
    taken: set[int] = field(default_factory=set)
    setback: str = ""
    rows: dict[ParcelState, int] = field(default_factory=dict)
    troubles: dict[str, str] = field(default_factory=dict)

    def add(self, settled: Settled) -> None:
        claim, outcome = settled.claim, settled.outcome
        self.sent += outcome.was_sent and outcome.code != NOT_BUILT
        self.rows[outcome.state] = self.rows.get(outcome.state, 0) + claim.rows
        if outcome.state in ANSWERED and outcome.was_sent:
            self.answered = True
        if outcome.state is ParcelState.ACKED:
            self.taken.add(claim.delivery_id)
        if outcome.state in MOVING and outcome.code not in (WAITS, LEFT_ALONE):
            self.setback = outcome.text
        if outcome.state in (ParcelState.REJECTED, ParcelState.PARKED):
            self.trouble(claim, f"{outcome.state}, {outcome.text}")

    def trouble(self, claim: Claim, why: str) -> None:
        self.troubles.setdefault(claim.file_name, f"{claim.file_name}: {why}")


def answered_later(done: Iterable[Settled]) -> set[int]:
    """Deliveries that the other side has taken without a yes or no: that comes as a message of its own."""
    return {each.claim.delivery_id for each in done if each.outcome.code == LATER}
