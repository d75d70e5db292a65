"""Faults are tried on the sandbox and the desk that the flows' exams use."""

from __future__ import annotations

from tests.flows.conftest import box, desk, sandbox, systems

__all__ = ["box", "desk", "sandbox", "systems"]
