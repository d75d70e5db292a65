"""Faults are tried on the sandbox and the desk that the flows' exams use, beside servers that misbehave."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from drbridge.adapters.s3 import S3Store
from drbridge.exchange.desk import Desk
from drbridge.ports import Connection
from drbridge_sandbox.object_store import ObjectStore
from drbridge_sandbox.sandbox import Sandbox
from tests.faults import gate as gates
from tests.faults import rude_sftp
from tests.faults.gate import Gate
from tests.faults.rude_sftp import Rudeness
from tests.faults.ways import RELAYED, TAKEN, Way, connected
from tests.stores.places import BUCKET


@pytest.fixture(params=[TAKEN, RELAYED], ids=["taken", "relayed"])
def way(request: pytest.FixtureRequest) -> Way:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def rude(box: Sandbox) -> Iterator[tuple[Connection, Rudeness]]:
    """DACS's content server, become rude."""
    with rude_sftp.serving(box.servers["dacs"].root) as serving:
        yield serving


@pytest.fixture
def rudeness(rude: tuple[Connection, Rudeness]) -> Rudeness:
    return rude[1]


@pytest.fixture
def rude_desk(desk: Desk, box: Sandbox, rude: tuple[Connection, Rudeness]) -> Desk:
    """The desk, its connection to DACS's files leading to the rude server."""
    return connected(desk, box, dacs_files=rude[0])


@pytest.fixture
def gate(object_store: ObjectStore) -> Iterator[Gate]:
    """Before object storage."""
    with gates.before(Connection(conn_id="objects", **object_store.connection())) as gate:  # type: ignore[arg-type]
        yield gate


@pytest.fixture
def store(gate: Gate) -> S3Store:
    """An empty prefix, behind the gate."""
    return S3Store(gate.connection, BUCKET, f"exam-{uuid.uuid4().hex[:8]}")
