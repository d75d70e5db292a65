"""The REST operations by name. An endpoint in `systems.toml` names one of these."""

from __future__ import annotations

from drbridge.errors import Misconfigured
from drbridge.exchange.dacs_operations import DACS_OPERATIONS
from drbridge.exchange.derms_operations import DERMS_OPERATIONS
from drbridge.exchange.operation import Operation
from drbridge.systems import Endpoint

OPERATIONS = {operation.name: operation for operation in (*DERMS_OPERATIONS, *DACS_OPERATIONS)}


def operation_of(endpoint: Endpoint) -> Operation:
    """The operation an endpoint names.

    Raises:
        Misconfigured: there is none of that name, or it cannot be asked what became of a request.
    """
    operation = OPERATIONS.get(endpoint.operation)
    if operation is None:
        raise Misconfigured(
            f"Endpoint {endpoint.name} names the operation {endpoint.operation}, which is unknown",
            fix=f"use one of {', '.join(OPERATIONS)} in systems.toml",
        )
    if endpoint.unknown == "query" and operation.asking is None:
        raise Misconfigured(
            f"Endpoint {endpoint.name} cannot be asked what became of a request",
            fix='set unknown = "park" in systems.toml, or "resend" if it knows a repeated record by its own key',
        )
    return operation
