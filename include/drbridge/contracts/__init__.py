"""What is agreed about every file and message: one module per business noun."""

from __future__ import annotations

from drbridge.contracts import (
    device_score,
    enrollment_ack,
    enrollment_sync,
    event_outcome,
    event_status,
    kw_drop,
    kwh_avoided,
    load_forecast,
)
from drbridge.contracts.contract import Column, Contract
from drbridge.contracts.message import Message, Part
from drbridge.contracts.problems import CODES, Problem

CONTRACTS: dict[str, Contract] = {
    each.CONTRACT.noun: each.CONTRACT
    for each in (
        device_score, enrollment_sync, enrollment_ack, event_outcome, load_forecast, kwh_avoided, kw_drop,
    )
}  # fmt: skip

MESSAGES: dict[str, type[Message]] = {each.noun: each for each in (event_status.EventStatus,)}

__all__ = ["CODES", "CONTRACTS", "MESSAGES", "Column", "Contract", "Message", "Part", "Problem"]
