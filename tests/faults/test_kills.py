"""A slice of the kills: one step of each route, a few calls. `python -m tests.faults.kills` tries all of them."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from drbridge_sandbox.sandbox import Sandbox
from tests.faults.journeys import Ended
from tests.faults.kills import strace
from tests.faults.kills.runner import ACCEPT
from tests.faults.kills.sweep import ROUTES, Range, Route

SLICE = [Route(route.journey, [step]) for route, step in zip(ROUTES, ("put in place", "send", ACCEPT), strict=True)]


@pytest.mark.skipif(not strace.is_installed(), reason=strace.MISSING)
@pytest.mark.parametrize("route", SLICE, ids=str)
def test_a_process_that_is_killed_loses_nothing_and_doubles_nothing(
    route: Route, sandbox: Sandbox, tmp_path: Path
) -> None:
    where = Range(route, sandbox, tmp_path)
    first_write = next(kill for kill in where.calls if kill.kind == "write")
    some = [first_write, *random.Random(f"20260714 {route}").sample(where.calls, 2)]
    ends = {str(kill): where.shoot(kill) for kill in some}
    assert set(ends.values()) <= {Ended(), None}, ends
    assert Ended() in ends.values(), "not one process was killed"


def test_calls_are_counted_by_the_busiest_thread_and_told_apart_by_what_they_speak_to(tmp_path: Path) -> None:
    """A call that another thread's interrupts is written as two lines, and is one call."""
    (tmp_path / "log").write_text(
        "71 pwrite64(3</a/ledger.db-wal>, ..., 24, 0) = 24\n71 read(5<socket:[77]>,  <unfinished ...>\n"
        "72 read(6</a/file>, ...) = 1\n71 <... read resumed>...) = 7\n71 read(3</a/file>, ...) = 1\n"
        "72 read(6</a/file>, ...) = 1\n72 read(6</a/file>, ...) = 1\n"
        "71 write(5<socket:[77]>, ...) = 1\n71 write(3</a/file>, ...) = 1\n71 write(8<anon_inode:[eventfd]>, ...) = 8\n"
        "71 futex(0x1) = 0\n71 +++ exited with 0 +++\n"
    )
    assert strace.made(tmp_path / "log") == {
        "pwrite64": ["write"], "read": ["receive", ""], "write": ["send", "write", ""],
    }  # fmt: skip
