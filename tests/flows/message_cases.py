"""The message flows that take the exam: a hand-written message of each, and where at the far side its effects are."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from drbridge_sandbox.sandbox import Sandbox
from tests.unit.contracts.messages import Where, changed

PERSON = "0012345678"
SECOND_REQUEST = {
    "customerInfo": {"cisPersonId": "0012345679"},
    "programInfo": {"programCode": "WINTER-WH", "startDateTimeISO": "2026-12-01T00:00:00Z"},
    "locationInfo": {"cisServicePointId": "998877665545"},
}


@dataclass(frozen=True)
class Place:
    """Where an effect is: the system, the noun it keeps it under, and its key."""

    system: str
    noun: str
    key: str


@dataclass(frozen=True)
class Case:
    """One flow of messages.

    Attributes:
        flow, noun: the flow, and the messages it takes.
        effects: what each request of the message brings about, in order.
        fills: what the sample lacks for the far side to say yes.
        number: the field of the sender's number.
        moment: the field that makes a message newer than another about the same thing; empty where that is no matter.
        answer: where the sender finds our answer; None where it is owed none.
        answers: what it is told: when all was taken, and when the first request was refused.
        refused: what the far side's dial is told to refuse.
        waiting: sync requests that must wait for this, by system.
    """

    flow: str
    noun: str
    effects: Sequence[Place]
    refused: str
    number: str = "messageId"
    fills: Sequence[tuple[Where, Any]] = ()
    moment: str = ""
    answer: Place | None = None
    answers: tuple[str, str] = ("", "")
    waiting: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.flow

    @property
    def far(self) -> str:
        """The system that holds the effects."""
        return self.effects[0].system

    def message(self, number: str = "", moment: str = "") -> dict[str, Any]:
        """The sample, as it is or as another message about the same thing."""
        data: dict[str, Any] = copy.deepcopy(changed(self.noun, *self.fills))
        return data | ({self.number: number} if number else {}) | ({self.moment: moment} if moment else {})

    def prepare(self, box: Sandbox) -> None:
        """Has the far side wait for what the message answers."""
        for system, ids in self.waiting.items():
            box.far(system).seed(ids)


def _of(system: str, noun: str, *keys: str) -> tuple[Place, ...]:
    return tuple(Place(system, noun, key) for key in keys)


def _change(flow: str, noun: str, there: str, sync_id: str, fills: Sequence[tuple[Where, Any]] = ()) -> Case:
    """A change of DACS's for DERMS; DACS's sync request is ended with what DERMS said."""
    return Case(
        flow, noun, _of("derms", there, sync_id), sync_id, "syncRequestId", fills, "changeDateTime",
        Place("dacs", "sync_request", sync_id), ("SYNCHRONIZED", "ERROR"), {"dacs": [sync_id, OTHER_NUMBER]},
    )  # fmt: skip


def _ack(flow: str, noun: str, system: str, *sync_ids: str) -> Case:
    """A yes or no to sync requests."""
    effects = _of(system, "sync_request", *sync_ids)
    return Case(flow, noun, effects, sync_ids[0], waiting={system: sync_ids})


OTHER_NUMBER = "99000000000001"
CASES = [
    Case(
        "derms_dacs_enrollment_request", "enrollment_request",
        _of("dacs", "enrollment", f"{PERSON}/SUMMER-TSTAT/998877665544", "0012345679/WINTER-WH/998877665545"), PERSON,
        fills=[(("requests", 1), SECOND_REQUEST)], answer=Place("derms", "ack", "ENRQ-20260714-17"),
        answers=("SUCCESS,2", "ERROR,2"),
    ),
    _change(
        "dacs_derms_enrollment_sync", "enrollment_change", "enrollment_sync", "05449036987849",
        [(("contactInfo", "cisPersonId"), PERSON)],
    ),
    _ack(
        "derms_dacs_enrollment_ack", "enrollment_ack_message", "dacs",
        "05449036987849", "15449036987850", "15449036987851",
    ),
    Case(
        "dacs_derms_device_status_check", "device_status_check", _of("derms", "status_check", "70000000000012"),
        "70000000000012", "communicationId", answer=Place("dacs", "device_status", "70000000000012"),
        answers=("", "FAILURE"),
    ),
    Case(
        "derms_dacs_device_status_ack", "device_status_ack",
        _of("dacs", "device_status", "70000000000012", "70000000000013"), "70000000000012",
    ),
    _change("dacs_derms_program_rules", "program_rules", "program_rules", "15449036987860"),
    _ack("derms_dacs_program_rules_ack", "program_rules_ack", "dacs", "15449036987860"),
    _change("dacs_derms_aggregators", "aggregator", "aggregator", "15449036987870"),
    _ack("derms_dacs_aggregators_ack", "aggregator_ack", "dacs", "15449036987870"),
    _ack("dacs_ccs_customers_ack", "customers_ack", "ccs", "15449036987880"),
    Case(
        "derms_dacs_event_status", "event_status", _of("dacs", "program_event", "1315"), "1315",
        answer=Place("derms", "ack", "ST-4710"), answers=("SUCCESS,1", "FAILURE,1"),
    ),
    Case(
        "dacs_derms_event_opt_out", "event_opt_out", _of("derms", "event_opt_out", "OO-1"), "OO-1",
        moment="optOutDateTime",
    ),
    Case(
        "dacs_derms_unavailability", "unavailability", _of("derms", "unavailability", "UN-1"), "UN-1", moment="sentAt"
    ),
]  # fmt: skip
