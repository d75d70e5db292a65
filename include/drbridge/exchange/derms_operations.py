"""The DERMS's REST operations. It has no public interface: paths and bodies are our definition (docs/connect.md)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from drbridge.contracts import Message
from drbridge.contracts.aggregator import Aggregator, to_derms_aggregator
from drbridge.contracts.device_status_check import DeviceStatusCheck, to_derms_status_check
from drbridge.contracts.enrollment_change import EnrollmentChange, to_derms_enroll
from drbridge.contracts.event_opt_out import EventOptOut, to_derms_opt_out
from drbridge.contracts.message import Body
from drbridge.contracts.program_rules import ProgramRules, to_derms_program
from drbridge.contracts.unavailability import Unavailability, to_derms_unavailability
from drbridge.exchange.operation import ACCEPTED, Address, Operation
from drbridge.systems import Site

M = TypeVar("M", bound=Message)
OK = 200


def _whole(kind: type[M], body: Callable[[M], Body]) -> Callable[[Message, int, Site], Address]:
    """A message that goes out as one request."""

    def build(message: Message, _part: int, _site: Site) -> Address:
        assert isinstance(message, kind)
        return Address(body(message))

    return build


def _program(message: Message, _part: int, site: Site) -> Address:
    assert isinstance(message, ProgramRules)
    return Address(to_derms_program(message, site.lookups.allow_event_days, site.lookups.cycle_frequency))


DERMS_OPERATIONS = (
    Operation("device_score_file", "file"),
    Operation("load_forecast_file", "file"),
    Operation("customer_file", "file"),
    Operation("acknowledge", "answer", done_words=("duplicate", "already")),
    Operation(
        "derms_enroll", "message", message=_whole(EnrollmentChange, to_derms_enroll), verdict_later_with=(ACCEPTED,)
    ),
    Operation(
        "derms_status_check", "message", message=_whole(DeviceStatusCheck, to_derms_status_check),
        verdict_later_with=(OK, ACCEPTED),
    ),
    Operation("derms_program", "message", message=_program, verdict_later_with=(ACCEPTED,)),
    Operation(
        "derms_aggregator", "message", message=_whole(Aggregator, to_derms_aggregator), verdict_later_with=(ACCEPTED,)
    ),
    Operation("derms_opt_out", "message", message=_whole(EventOptOut, to_derms_opt_out)),
    Operation("derms_unavailability", "message", message=_whole(Unavailability, to_derms_unavailability)),
)  # fmt: skip
