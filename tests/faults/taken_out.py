"""Takes one safeguard out for a run of pytest, by its name in DRBRIDGE_TAKE_OUT: its test must fail then."""

from __future__ import annotations

import os

import pytest

TAKE_OUT = "DRBRIDGE_TAKE_OUT"


@pytest.fixture(autouse=True)
def _without_a_safeguard(monkeypatch: pytest.MonkeyPatch) -> None:
    if name := os.environ.get(TAKE_OUT):
        from tests.faults.safeguards import SAFEGUARDS

        SAFEGUARDS[name].take_out(monkeypatch)
