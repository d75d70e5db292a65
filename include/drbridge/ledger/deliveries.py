"""Deliveries: one intake on its way to one destination, and whether its book balances."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Row, Select, case, delete, func, insert, select, update

from drbridge.ledger.database import Tx, clock, insert_if_new
from drbridge.ledger.states import MOVING, SETTLED, UNFINISHED, DeliveryState, ParcelState
from drbridge.ledger.tables import deliveries, intakes, parcels

OLDEST_FIRST = (deliveries.c.business_at, deliveries.c.version_at, deliveries.c.id)


@dataclass(frozen=True, slots=True)
class Balance:
    """Where every row of a delivery is; `rows` is the sum of the others but `flagged`.

    Attributes:
        flagged: rows with a problem that travelled on inside a relayed file; they are counted as acked.
    """

    rows: int
    acked: int
    rejected: int
    duplicate: int
    superseded: int
    parked: int
    open: int
    flagged: int

    def __add__(self, other: Balance) -> Balance:
        mine, theirs = self.as_dict(), other.as_dict()
        return Balance(**{name: mine[name] + theirs[name] for name in mine})

    @property
    def balances(self) -> bool:
        parts = self.acked + self.rejected + self.duplicate + self.superseded + self.parked + self.open
        return self.rows == parts

    @property
    def in_words(self) -> str:
        """For a person: 2000 rows (1986 acked, 12 rejected, 2 duplicate)."""
        words = [f"{count} {word}" for word, count in self.as_dict().items() if count and word != "rows"]
        return f"{self.rows} rows" + (f" ({', '.join(words)})" if words else "")

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """What a new delivery starts with; rows that never travel are counted here, the others by their parcels.

    Attributes:
        version_at: tells two files of one business date apart, the newer one later; seconds since 1970 UTC.
        verdict: which check of the file staged its rows.
    """

    flow: str
    destination: str
    lane: str
    state: DeliveryState
    rows: int
    rejected_rows: int = 0
    duplicate_rows: int = 0
    superseded_rows: int = 0
    flagged_rows: int = 0
    note: str | None = None
    version_at: float = 0.0
    verdict: str = ""


def lane_of(flow: str, destination: str) -> str:
    """What must arrive in order: all parcels of one flow at one destination."""
    return f"{flow} > {destination}"


def relay_lane_of(flow: str, destination: str, sha256: str) -> str:
    """A relayed file is a lane of its own: files pass each other freely."""
    return f"{flow} > {destination} > {sha256[:32]}"


def add(tx: Tx, intake_id: int, business_at: float, new: NewDelivery) -> int | None:
    """Opens a delivery; None when it is there already."""
    now = clock(tx)
    fresh = insert_if_new(
        tx, deliveries,
        **asdict(new) | {"state": new.state.value}, intake_id=intake_id, business_at=business_at,
        generation=0, opened_at=now,
        ended_at=now if new.state in SETTLED else None,
    )  # fmt: skip
    if not fresh:
        return None
    row = find(tx, intake_id, new.flow, new.destination)
    assert row is not None
    return int(row.id)


def find(tx: Tx, intake_id: int, flow: str, destination: str) -> Row[Any] | None:
    """The delivery of an intake by a flow to a destination, if it was opened."""
    return tx.execute(
        select(deliveries).where(
            deliveries.c.intake_id == intake_id,
            deliveries.c.flow == flow,
            deliveries.c.destination == destination,
        )
    ).first()


def by_id(tx: Tx, delivery_id: int) -> Row[Any]:
    """The delivery of this number."""
    return tx.execute(select(deliveries).where(deliveries.c.id == delivery_id)).one()


def by_ids(tx: Tx, delivery_ids: Sequence[int]) -> list[Row[Any]]:
    """The deliveries of these numbers, in their order."""
    return list(tx.execute(select(deliveries).where(deliveries.c.id.in_(delivery_ids)).order_by(deliveries.c.id)))


def to(tx: Tx, flow: str, destination: str, intake_ids: Sequence[int]) -> list[Row[Any]]:
    """The deliveries of these intakes by a flow to a destination, as far as they were opened."""
    return list(
        tx.execute(
            select(deliveries).where(
                deliveries.c.intake_id.in_(intake_ids),
                deliveries.c.flow == flow,
                deliveries.c.destination == destination,
            )
        )
    )


def open_many(tx: Tx, found: Sequence[tuple[int, float]], flow: str, destination: str, lane: str) -> list[int]:
    """Opens deliveries of one row for intakes that have none there yet, each with its business date; their numbers."""
    now = clock(tx)
    done = tx.execute(
        insert(deliveries).returning(deliveries.c.id, sort_by_parameter_order=True).values(opened_at=now),
        [
            {"intake_id": intake_id, "flow": flow, "destination": destination, "lane": lane,
             "state": DeliveryState.OPEN.value, "business_at": business_at, "rows": 1}
            for intake_id, business_at in found
        ],
    )  # fmt: skip
    return list(done.scalars())


def of_intake(tx: Tx, intake_id: int) -> list[Row[Any]]:
    """All deliveries of an intake, in the order they were opened."""
    return list(tx.execute(select(deliveries).where(deliveries.c.intake_id == intake_id).order_by(deliveries.c.id)))


def locked(tx: Tx, delivery_id: int) -> Row[Any]:
    """The delivery as it is now; whoever else wants to change it waits for the end of this transaction."""
    return tx.execute(select(deliveries).where(deliveries.c.id == delivery_id).with_for_update()).one()


def with_intakes(*, flow: str | None = None, intake_id: int | None = None) -> Select[Any]:
    """Deliveries beside the names and hashes of what they carry, oldest business date first."""
    look = select(
        deliveries, intakes.c.noun, intakes.c.sha256, intakes.c.name, intakes.c.source, intakes.c.refusal_text
    ).join_from(deliveries, intakes)
    if flow is not None:
        look = look.where(deliveries.c.flow == flow)
    if intake_id is not None:
        look = look.where(deliveries.c.intake_id == intake_id)
    return look.order_by(*OLDEST_FIRST)


def settle(tx: Tx, delivery_ids: Iterable[int]) -> list[int]:
    """Ends those of the deliveries that have no unfinished parcel left; returns which."""
    ids = sorted(delivery_ids)
    if not ids:
        return []
    tx.execute(select(deliveries.c.id).where(deliveries.c.id.in_(ids)).order_by(deliveries.c.id).with_for_update())
    unfinished = select(parcels.c.id).where(parcels.c.delivery_id == deliveries.c.id, parcels.c.state.in_(UNFINISHED))
    ended = tx.execute(
        update(deliveries)
        .where(deliveries.c.id.in_(ids), deliveries.c.state == DeliveryState.OPEN, ~unfinished.exists())
        .values(state=DeliveryState.DONE.value, ended_at=clock(tx))
        .returning(deliveries.c.id)
    )
    return sorted(ended.scalars())


def hold(tx: Tx, delivery_id: int, why: str) -> bool:
    """Stops a delivery until a person decides; nothing more of it is claimed."""
    held = tx.execute(
        update(deliveries)
        .where(deliveries.c.id == delivery_id, deliveries.c.state == DeliveryState.OPEN)
        .values(state=DeliveryState.HELD.value, note=why)
    )
    return held.rowcount > 0


def end_held(tx: Tx, delivery_id: int, why: str) -> None:
    """A person decides that nothing more of a held delivery goes: it ends, its rows settled as they are."""
    tx.execute(
        update(deliveries)
        .where(deliveries.c.id == delivery_id, deliveries.c.state == DeliveryState.HELD)
        .values(state=DeliveryState.DONE.value, ended_at=clock(tx), note=why)
    )


def reopen(tx: Tx, delivery_id: int, overtaken: int = 0) -> int:
    """A person wants rows of a delivery to go again: it is open, and its new parcels get a generation of their own.

    Args:
        overtaken: rows that do not go again, because a newer file has settled them since.
    """
    tx.execute(
        update(deliveries)
        .where(deliveries.c.id == delivery_id)
        .values(
            state=DeliveryState.OPEN.value, ended_at=None, note=None, generation=deliveries.c.generation + 1,
            superseded_rows=deliveries.c.superseded_rows + overtaken,
        )
    )  # fmt: skip
    return int(tx.execute(select(deliveries.c.generation).where(deliveries.c.id == delivery_id)).scalar_one())


def again(tx: Tx, intake_id: int, flow: str, destination: str) -> tuple[int, int]:
    """Reopens the delivery of an intake to a destination; returns its id and its new generation."""
    row = find(tx, intake_id, flow, destination)
    assert row is not None
    return row.id, reopen(tx, row.id)


def ask(tx: Tx, delivery_id: int) -> bool:
    """A person wants a refused delivery judged anew: that happens when its file is read again."""
    asked = tx.execute(
        update(deliveries)
        .where(deliveries.c.id == delivery_id, deliveries.c.state == DeliveryState.REFUSED)
        .values(state=DeliveryState.ASKED.value, ended_at=None)
    )
    return asked.rowcount > 0


def give_up_asking(tx: Tx, delivery_id: int, why: str) -> None:
    """A delivery that was to be judged anew cannot be: its file is gone. It stays refused."""
    tx.execute(
        update(deliveries)
        .where(deliveries.c.id == delivery_id, deliveries.c.state == DeliveryState.ASKED)
        .values(state=DeliveryState.REFUSED.value, ended_at=clock(tx), note=why)
    )


def forget_refusal(tx: Tx, delivery_id: int) -> None:
    """Takes a refused delivery, which never had a parcel, out of the way of its second judgement."""
    tx.execute(delete(deliveries).where(deliveries.c.id == delivery_id, deliveries.c.state == DeliveryState.ASKED))


def balances(tx: Tx, delivery_ids: Sequence[int]) -> dict[int, Balance]:
    """Each delivery's book, its parcels added up."""
    if not delivery_ids:
        return {}

    def rows_in(*states: ParcelState) -> Any:
        return func.coalesce(func.sum(case((parcels.c.state.in_(states), parcels.c.rows), else_=0)), 0)

    look = (
        select(
            deliveries,
            rows_in(ParcelState.ACKED).label("acked"),
            rows_in(ParcelState.REJECTED).label("refused"),
            rows_in(ParcelState.SUPERSEDED).label("overtaken"),
            rows_in(ParcelState.PARKED).label("parked"),
            rows_in(*MOVING).label("open"),
        )
        .join_from(deliveries, parcels, parcels.c.delivery_id == deliveries.c.id, isouter=True)
        .where(deliveries.c.id.in_(delivery_ids))
        .group_by(deliveries.c.id)
    )
    return {
        row.id: Balance(
            rows=row.rows,
            acked=int(row.acked),
            rejected=int(row.rejected_rows + row.refused),
            duplicate=row.duplicate_rows,
            superseded=int(row.superseded_rows + row.overtaken),
            parked=int(row.parked),
            open=int(row.open),
            flagged=row.flagged_rows,
        )
        for row in tx.execute(look)
    }
