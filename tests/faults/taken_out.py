"""Takes safeguards out for a run of pytest: the one that DRBRIDGE_TAKE_OUT names, or `each`: that of each test."""

from __future__ import annotations

import os

import pytest

TAKE_OUT = "DRBRIDGE_TAKE_OUT"
EACH = "each"


@pytest.fixture(autouse=True)
def _without_a_safeguard(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if asked := os.environ.get(TAKE_OUT):
        from tests.faults.safeguards import SAFEGUARDS

        for name, guard in SAFEGUARDS.items():
            if asked in (name, EACH) and guard.guards(request.node.nodeid):
                guard.take_out(monkeypatch)
