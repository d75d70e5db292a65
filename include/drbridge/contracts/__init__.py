"""What is agreed about every file and every message: one module per business noun."""

from __future__ import annotations

from drbridge.contracts import (
    any_file,
    customers,
    device_reservation,
    device_score,
    enrollment_ack,
    enrollment_sync,
    event_outcome,
    kw_drop,
    kwh_avoided,
    load_forecast,
    network_location,
    settlement_credit,
    settlement_request,
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
    contract.noun: contract
    for contract in (
        device_score.CONTRACT, enrollment_sync.CONTRACT, enrollment_ack.CONTRACT, device_reservation.CONTRACT,
        event_outcome.CONTRACT, load_forecast.CONTRACT, kwh_avoided.CONTRACT, kw_drop.CONTRACT,
        network_location.CONTRACT, *customers.CONTRACTS,
        settlement_request.CONTRACT, settlement_credit.CONTRACT,
    )
}  # fmt: skip

# What a flow may take: files whose rows are agreed, and files of any kind.
FILES: dict[str, Contract] = {**CONTRACTS, any_file.CONTRACT.noun: any_file.CONTRACT}

MESSAGES: dict[str, type[Message]] = {
    each.noun: each
    for each in (
        EnrollmentRequest, EnrollmentChange, EnrollmentAckMessage, DeviceStatusCheck, DeviceStatusAck, EventStatus,
        DeviceReservation, ProgramRules, ProgramRulesAck, Aggregator, AggregatorAck, EventOptOut, Unavailability,
        CustomersAck,
    )
}  # fmt: skip
# What the inbox keeps: a file that came by itself has a message of our own around it.
KEPT: dict[str, type[Message]] = {**MESSAGES, PostedFile.noun: PostedFile}

__all__ = ["CODES", "CONTRACTS", "FILES", "KEPT", "MESSAGES", "Column", "Contract", "Message", "Problem"]
