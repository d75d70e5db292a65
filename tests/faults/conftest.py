"""Faults are tried on the sandbox and the desk that the flows' exams use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from drbridge.exchange.desk import Desk
from drbridge.ports import Connection
from drbridge_sandbox.sandbox import Sandbox
from tests.faults import rude_sftp
from tests.faults.rude_sftp import Rudeness
from tests.faults.ways import RELAYED, TAKEN, Way, connected
from tests.flows.conftest import box, desk, sandbox, systems

__all__ = ["box", "desk", "sandbox", "systems"]


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
