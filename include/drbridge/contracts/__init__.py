"""What is agreed about every file: one module per business noun."""

from __future__ import annotations

from drbridge.contracts import device_score
from drbridge.contracts.contract import Column, Contract
from drbridge.contracts.problems import CODES, Problem

CONTRACTS: dict[str, Contract] = {each.CONTRACT.noun: each.CONTRACT for each in (device_score,)}

__all__ = ["CODES", "CONTRACTS", "Column", "Contract", "Problem"]
