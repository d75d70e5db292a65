"""Takes safeguards out for a run of pytest: those that DRBRIDGE_TAKE_OUT names, one a line, each for its own test."""

from __future__ import annotations

import os

import pytest

TAKE_OUT = "DRBRIDGE_TAKE_OUT"


@pytest.fixture(autouse=True)
def _without_a_safeguard(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if asked := os.environ.get(TAKE_OUT):
        from tests.faults.safeguards import SAFEGUARDS

        for guard in (SAFEGUARDS[name] for name in asked.splitlines()):
            if guard.guards(request.node.nodeid):
                guard.take_out(monkeypatch)
