"""What is agreed about every file: one module per business noun."""

from __future__ import annotations

from drbridge.contracts import (
    customers,
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
from drbridge.contracts.contract import Column, Contract
from drbridge.contracts.problems import CODES, Problem

CONTRACTS: dict[str, Contract] = {
    contract.noun: contract
    for contract in (
        device_score.CONTRACT, enrollment_sync.CONTRACT, enrollment_ack.CONTRACT, event_outcome.CONTRACT,
        load_forecast.CONTRACT, kwh_avoided.CONTRACT, kw_drop.CONTRACT, network_location.CONTRACT,
        *customers.CONTRACTS, settlement_request.CONTRACT, settlement_credit.CONTRACT,
    )
}  # fmt: skip

__all__ = ["CODES", "CONTRACTS", "Column", "Contract", "Problem"]
