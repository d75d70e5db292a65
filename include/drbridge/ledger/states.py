"""The states of parcels and deliveries, and which follow which.

    PENDING -> IN_FLIGHT -> ACKED | REJECTED | SPLIT
    IN_FLIGHT -> PENDING                    it never left
    IN_FLIGHT -> UNKNOWN -> IN_FLIGHT | ACKED | PARKED
    PENDING -> SUPERSEDED

ACKED, REJECTED, SUPERSEDED and SPLIT are final: only a person's resend, audited, opens new parcels for the same rows.
A SPLIT parcel's rows live on in its two halves, a RESENT one's in the parcel that a person had sent instead.
"""

from __future__ import annotations

from enum import StrEnum


class ParcelState(StrEnum):
    """Where one parcel is on its way."""

    PENDING = "PENDING"
    IN_FLIGHT = "IN_FLIGHT"
    UNKNOWN = "UNKNOWN"
    ACKED = "ACKED"
    REJECTED = "REJECTED"
    SUPERSEDED = "SUPERSEDED"
    PARKED = "PARKED"
    SPLIT = "SPLIT"
    RESENT = "RESENT"


MOVING = (ParcelState.PENDING, ParcelState.IN_FLIGHT, ParcelState.UNKNOWN)
UNFINISHED = (*MOVING, ParcelState.PARKED)


class DeliveryState(StrEnum):
    """OPEN: parcels are on their way, or in doubt. HELD: a person decides first. DONE: all settled. REFUSED: the file
    was not fit to travel. ASKED: it was refused, and a person wants it judged anew when it is read again."""

    OPEN = "OPEN"
    HELD = "HELD"
    DONE = "DONE"
    REFUSED = "REFUSED"
    ASKED = "ASKED"


SETTLED = (DeliveryState.DONE, DeliveryState.REFUSED)
