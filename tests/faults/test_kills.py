"""A slice of the kills: one step of each route, a few calls. `python -m tests.faults.kills` tries all of them."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from drbridge_sandbox.sandbox import Sandbox
from tests.faults.journeys import Ended
from tests.faults.kills import strace
from tests.faults.kills.runner import ACCEPT
from tests.faults.kills.sweep import ROUTES, Kill, Range, Route

SLICE = [Route(route.journey, [step]) for route, step in zip(ROUTES, ("put in place", "send", ACCEPT), strict=True)]


@pytest.mark.skipif(not strace.is_installed(), reason=strace.MISSING)
@pytest.mark.parametrize("route", SLICE, ids=str)
def test_a_process_that_is_killed_loses_nothing_and_doubles_nothing(
    route: Route, sandbox: Sandbox, tmp_path: Path
) -> None:
    where = Range(route, sandbox, tmp_path)
    first_write = Kill(route.steps[0], "pwrite64", 1)
    some = [first_write, *random.Random(f"20260714 {route}").sample(where.kills(1), 2)]
    ends = {str(kill): where.shoot(kill) for kill in some}
    assert set(ends.values()) <= {Ended(), None}, ends
    assert Ended() in ends.values(), "not one process was killed"


def test_calls_are_counted_by_the_busiest_thread(tmp_path: Path) -> None:
    """A call that another thread's interrupts is written as two lines, and is one call."""
    (tmp_path / "log").write_text(
        "71 pwrite64(3, ..., 24, 0) = 24\n71 recvfrom(5,  <unfinished ...>\n72 recvfrom(6, ...) = 1\n"
        "71 <... recvfrom resumed>...) = 7\n72 recvfrom(6, ...) = 1\n71 futex(0x1) = 0\n71 +++ exited with 0 +++\n"
    )
    assert strace.counted(tmp_path / "log") == {"pwrite64": 1, "recvfrom": 2}
