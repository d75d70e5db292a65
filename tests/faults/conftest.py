"""The sandbox and the desk of the flows serve the tests of faults, too."""

from __future__ import annotations

from tests.flows.conftest import box, desk, sandbox, systems

__all__ = ["box", "desk", "sandbox", "systems"]
