"""The DERMS as planner: whether it may reserve a device for an event."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from drbridge_sandbox.rest.availability import OPT_OUT, UNAVAILABILITY
from drbridge_sandbox.rest.bodies import Strict, UtcTime
from drbridge_sandbox.rest.enrollment_syncs import SUBSCRIPTION
from drbridge_sandbox.rest.records import Records


class Wanted(Strict):
    """A device the planner would like to reserve.

    Attributes:
        event_id: of the event; empty: an opt-out of any event counts.
    """

    nic_id: str
    head_end_system: str
    start: UtcTime
    end: UtcTime
    event_id: str = ""

    @property
    def device(self) -> str:
        return f"{self.head_end_system}/{self.nic_id}"


def why_not(records: Records, wanted: Wanted) -> str:
    """Why the device may not be reserved; empty when it may."""
    return next(_reasons(records, wanted), "")


def _reasons(records: Records, wanted: Wanted) -> Iterator[str]:
    subscriptions = records.all(SUBSCRIPTION).values()
    if not any(
        wanted.device in each["devices"] and each["action"] != "UNENROLL" and each["status"] != "INACTIVE"
        for each in subscriptions
    ):
        yield f"{wanted.device} is not enrolled"
    if records.all(OPT_OUT, f"{wanted.device}/" + (f"{wanted.event_id}/" if wanted.event_id else "")):
        yield f"{wanted.device} has opted out"
    for each in records.all(UNAVAILABILITY, f"{wanted.device}/").values():
        start, end = map(datetime.fromisoformat, (each["start"], each["end"]))
        if each["action"] == "CREATE" and start < wanted.end and wanted.start < end:
            yield f"{wanted.device} is unavailable from {each['start']} to {each['end']}"
