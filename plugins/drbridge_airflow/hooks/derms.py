"""DERMS as an Airflow hook."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from drbridge_airflow.hooks.system_hook import SystemHook, attachment
from drbridge_airflow.hooks.told import Aggregator, Health, Taken, aggregators_of

if TYPE_CHECKING:
    from drbridge.contracts import Message
    from drbridge.contracts.aggregator import Aggregator as AggregatorMessage
    from drbridge.contracts.device_status_check import DeviceStatusCheck
    from drbridge.contracts.enrollment_change import EnrollmentChange
    from drbridge.contracts.event_opt_out import EventOptOut
    from drbridge.contracts.message import Body
    from drbridge.contracts.program_rules import ProgramRules
    from drbridge.contracts.unavailability import Unavailability
    from drbridge.exchange.acks import Told

VERDICT_LATER = 202
Part = tuple[Literal["SUCCESS", "ERROR"], str]


class DermsHook(SystemHook):
    """The system of grid events. Paths that are not published are our definition; see docs/flows.md.

    Example:
        DermsHook().device_score(Path("SDCSE_0042_00.csv"))
    """

    hook_name = "DERMS"
    default_conn_name = "derms_rest"
    who = "DERMS"
    health_path = "/health"

    def enroll(self, message: EnrollmentChange) -> Taken:
        """A customer was enrolled or unenrolled, or devices were replaced."""
        from drbridge.contracts.enrollment_change import to_derms_enroll

        return self._tell("/enroll", to_derms_enroll(message))

    def status_check(self, message: DeviceStatusCheck) -> Taken:
        """Can this device be reached? The answer always comes later, as a device status acknowledgement."""
        from drbridge.contracts.device_status_check import to_derms_status_check

        return Taken(self._tell("/status_check", to_derms_status_check(message)).had_it, verdict_later=True)

    def programs(self, message: ProgramRules) -> Taken:
        """All rules of a program, in the place of those it had."""
        from drbridge.contracts.program_rules import to_derms_program

        words = self.site.lookups
        return self._tell("/programs", to_derms_program(message, words.allow_event_days, words.cycle_frequency))

    def aggregators(self, message: AggregatorMessage) -> Taken:
        """An aggregator as it is after a change."""
        from drbridge.contracts.aggregator import to_derms_aggregator

        return self._tell("/aggregators", to_derms_aggregator(message))

    def aggregator_removed(self, known: Aggregator, end_date: date, number: str) -> Taken:
        """An aggregator that DACS no longer has.

        Args:
            end_date: the day on which its absence was found.
            number: our own number of the message.
        """
        from drbridge.contracts.aggregator import to_derms_aggregator_removed

        names = (known.aggregator_id, known.external_reference_id)
        return self._tell("/aggregators", to_derms_aggregator_removed(*names, end_date, number))

    def list_aggregators(self) -> tuple[Aggregator, ...]:
        """The aggregators DERMS knows, those that have ended too."""
        return aggregators_of(self._get("/aggregators"))

    def opt_out(self, message: EventOptOut) -> Taken:
        """A customer will not take part in a stage."""
        from drbridge.contracts.event_opt_out import to_derms_opt_out

        return self._tell("/optOuts", to_derms_opt_out(message))

    def unavailability(self, message: Unavailability) -> Taken:
        """A device must not be called on for a while, or may be again."""
        from drbridge.contracts.unavailability import to_derms_unavailability

        return self._tell("/unavailabilities", to_derms_unavailability(message))

    def device_score(self, file: Path) -> Taken:
        """A file of device scores, as it is."""
        return self._attach("/deviceScore", file)

    def load_forecast(self, file: Path) -> Taken:
        """A file of load forecasts, as it is."""
        return self._attach("/loadForecast", file)

    def customers(self, file: Path) -> Taken:
        """A file of customers of the CIS, as it is."""
        return self._attach("/customers", file)

    def acks(self, message: Message, parts: Sequence[Part], when: datetime | None = None) -> Taken:
        """What became of a message that DERMS had sent.

        Args:
            parts: of each of its requests, in order: SUCCESS or ERROR, and the other side's id or the reason.
            when: that was settled; now if it is not given.
        """
        from drbridge.exchange.acks import acknowledgement

        body: Any = acknowledgement(_told(message, parts, when or datetime.now(UTC)))
        said = self._ask("POST", "/acks", body, done_words=("duplicate", "already"))
        return Taken(said.had_it)

    def health(self) -> Health:
        """Asks DERMS whether it is well."""
        return self._health()

    def _tell(self, path: str, body: Body) -> Taken:
        said = self._ask("POST", path, body, done_words=("duplicate", "already"))
        return Taken(said.had_it, verdict_later=said.status == VERDICT_LATER)

    def _attach(self, path: str, file: Path) -> Taken:
        return Taken(self._ask("POST", path, file=attachment(file)).had_it)


def _told(message: Message, parts: Sequence[Part], when: datetime) -> Told:
    from drbridge.exchange.acks import Told, iso_millis
    from drbridge.ledger.deliveries import Balance

    refused = [code for code, _ in parts].count("ERROR")
    taken = len(parts) - refused
    return Told(
        message, name="", ack_type="SUCCESS" if not refused else "ERROR" if taken else "FAILURE",
        when=iso_millis(when.timestamp()), balance=Balance(len(parts), taken, refused, 0, 0, 0, 0, 0),
        parts=tuple(parts), problems=(),
    )  # fmt: skip
