"""Program events in DACS: stages are scheduled, begin and end; devices are reserved, and what they did is told."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from drbridge_airflow.hooks.framework import FrameworkHook
from drbridge_airflow.hooks.system_hook import segment
from drbridge_airflow.hooks.told import ProgramEvent, Step, Taken, moment, text

if TYPE_CHECKING:
    from drbridge.contracts.device_reservation import DeviceReservation, ReservedDevice
    from drbridge.contracts.event_outcome import EventOutcome
    from drbridge.contracts.event_status import EventStatus
    from drbridge.contracts.message import Body
    from drbridge.contracts.rows import Row

EVENTS = "/rest/apis/cross/service/programEvent/"
PARTICIPATIONS = "/rest/apis/cross/service/programEventParticipation"


class DacsEvents(FrameworkHook):
    """The services of DACS about events. A program event goes by the name that program_event_key chooses."""

    def create_program_event(self, message: EventStatus) -> Step:
        """A stage was scheduled (23C or later)."""
        from drbridge.contracts.event_status import to_create_program_event

        _need(message.stage_status == "SCHEDULED", message, "only SCHEDULED makes a program event")
        said = self._ask(
            "POST", EVENTS, to_create_program_event(message, self.site.program_event_key),
            done_words=("already exists",),
        )  # fmt: skip
        return Step(tuple(said.data.get("nextActions") or ()), said.had_it)

    def action_program_event(self, message: EventStatus, part: int = 0) -> Step:
        """A stage has begun, ended or was cancelled (23C or later).

        Args:
            part: of the cancellation of a whole event, which stage: from 1, as in the message's `stages`.
        """
        from drbridge.contracts.event_status import to_action_program_event

        key = self.site.program_event_key
        _need(message.stage_status != "SCHEDULED", message, "SCHEDULED is no action: create the program event")
        _need(key == "event" or message.stage_of(part) is not None, message, "this part names no stage")
        body = to_action_program_event(message, part, key)
        said = self._ask("POST", f"{EVENTS}lifecycle", body, names_a_record=True)
        return Step(tuple(said.data.get("nextActions") or ()))

    def program_event(self, external_identifier: str) -> ProgramEvent:
        """How far a program event has come."""
        data = self._get(EVENTS + segment(external_identifier), names_a_record=True)
        return ProgramEvent(
            text(data, "externalIdentifier"), text(data, "eventExternalIdentifier"), text(data, "status"),
            moment(data, "startDateTime"), moment(data, "endDateTime"),
        )  # fmt: skip

    def reserve_device(self, message: DeviceReservation, devices: Iterable[ReservedDevice]) -> Taken:
        """The devices that a stage will call on: all of them or, when one is refused, none."""
        from drbridge.contracts.device_reservation import to_reserve_device

        body = to_reserve_device(message, map(_fields, devices), self.site.program_event_key)
        return self._participation("reserveDevice", body, names_a_record=True)

    def post_event_outcome(self, outcomes: Iterable[EventOutcome]) -> Taken:
        """What devices did, of one stage or of several (23C or later): all of them or, when one is refused, none."""
        from drbridge.contracts.event_outcome import to_post_outcome_list

        return self._participation(
            "postEventOutcome", to_post_outcome_list(map(_fields, outcomes), self.site.program_event_key)
        )

    def post_event_outcome_23a(self, outcome: EventOutcome) -> Taken:
        """What one device did, as release 23A takes it: the event stands outside of the list."""
        from drbridge.contracts.event_outcome import to_post_outcome_of_event

        return self._participation(
            "postEventOutcome", to_post_outcome_of_event(_fields(outcome), self.site.program_event_key)
        )

    def pre_event_cancellation(self, message: EventStatus) -> Taken:
        """An event will not take place: all its reservations end (23A; later releases: action_program_event)."""
        from drbridge.contracts.event_status import to_pre_event_cancellation

        _need(message.stage_status == "CANCELED", message, "only CANCELED cancels an event")
        return self._participation("preEventCancellation", to_pre_event_cancellation(message), names_a_record=True)

    def _participation(self, service: str, body: Body, *, names_a_record: bool = False) -> Taken:
        return Taken(self._ask("POST", f"{PARTICIPATIONS}/{service}", body, names_a_record=names_a_record).had_it)


def _need(holds: bool, message: EventStatus, what: str) -> None:
    from drbridge.errors import BadInput

    if not holds:
        raise BadInput(
            f"Event status {message.number} says {message.stage_status}: {what}", fix="use another operation"
        )


def _fields(row: Row) -> dict[str, str | None]:
    """A row as it stands in its file."""
    found = {field.alias or name: getattr(row, name) for name, field in type(row).model_fields.items()}
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in found.items()}
