"""Faults are tried on the sandbox and the desk that the flows' exams use, uploads on a store behind a gate."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from drbridge.adapters.s3 import S3Store
from drbridge.ports import Connection
from drbridge_sandbox.object_store import ObjectStore
from tests.faults import gate as gates
from tests.faults.gate import Gate
from tests.flows.conftest import box, desk, sandbox, systems
from tests.stores.places import BUCKET

__all__ = ["box", "desk", "sandbox", "systems"]


@pytest.fixture
def gate(object_store: ObjectStore) -> Iterator[Gate]:
    """Before object storage."""
    with gates.before(Connection(conn_id="objects", **object_store.connection())) as gate:  # type: ignore[arg-type]
        yield gate


@pytest.fixture
def store(gate: Gate) -> S3Store:
    """An empty prefix, behind the gate."""
    return S3Store(gate.connection, BUCKET, f"exam-{uuid.uuid4().hex[:8]}")
