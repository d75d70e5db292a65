"""What is agreed about every file and every message: one module per business noun."""

from __future__ import annotations

from drbridge.contracts import (
    device_reservation,
    device_score,
    enrollment_ack,
    enrollment_sync,
    event_outcome,
    kw_drop,
    kwh_avoided,
    load_forecast,
)
from drbridge.contracts.aggregator import Aggregator
from drbridge.contracts.contract import Column, Contract
from drbridge.contracts.device_reservation import DeviceReservation
from drbridge.contracts.device_status_check import DeviceStatusCheck
from drbridge.contracts.enrollment_change import EnrollmentChange
from drbridge.contracts.enrollment_request import EnrollmentRequest
from drbridge.contracts.event_opt_out import EventOptOut
from drbridge.contracts.event_status import EventStatus
from drbridge.contracts.message import Message
from drbridge.contracts.msg_ack import (
    AggregatorAck,
    CustomersAck,
    DeviceStatusAck,
    EnrollmentAckMessage,
    ProgramRulesAck,
)
from drbridge.contracts.posted_file import PostedFile
from drbridge.contracts.problems import CODES, Problem
from drbridge.contracts.program_rules import ProgramRules
from drbridge.contracts.unavailability import Unavailability

CONTRACTS: dict[str, Contract] = {
    each.CONTRACT.noun: each.CONTRACT
    for each in (
        device_score, enrollment_sync, enrollment_ack, device_reservation, event_outcome, load_forecast, kwh_avoided,
        kw_drop,
    )
}  # fmt: skip

MESSAGES: dict[str, type[Message]] = {
    each.noun: each
    for each in (
        EnrollmentRequest, EnrollmentChange, EnrollmentAckMessage, DeviceStatusCheck, DeviceStatusAck, EventStatus,
        DeviceReservation, ProgramRules, ProgramRulesAck, Aggregator, AggregatorAck, EventOptOut, Unavailability,
        CustomersAck, PostedFile,
    )
}  # fmt: skip

__all__ = ["CODES", "CONTRACTS", "MESSAGES", "Column", "Contract", "Message", "Problem"]
