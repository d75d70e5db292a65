"""Which safeguards there are, and the test of each that fails when it is taken out.

`DRBRIDGE_TAKE_OUT="the name" pytest <its test>` shows one of them.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults import safeguards_files, safeguards_http, safeguards_requests, safeguards_shares
from tests.faults.line import Line
from tests.faults.taken_out import TAKE_OUT

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Safeguard:
    """One thing that keeps a fault from doing harm.

    Attributes:
        test: pytest's name of the test that fails without it.
        take_out: takes it out of the running code.
        case: part of the ids of those of the test's cases that fail; empty: all of them.
    """

    test: str
    take_out: Callable[[pytest.MonkeyPatch], None]
    case: str = ""

    def guards(self, node: str) -> bool:
        """Whether a test, by pytest's name of it with its case, fails without it."""
        name, _, case = node.partition("[")
        return name == self.test and self.case in case


SAFEGUARDS: Mapping[str, Safeguard] = {
    **{name: Safeguard(*each) for name, each in safeguards_requests.SAFEGUARDS.items()},
    **{name: Safeguard(*each) for name, each in safeguards_files.SAFEGUARDS.items()},
    **{name: Safeguard(*each) for name, each in safeguards_shares.SAFEGUARDS.items()},
    **{f"{each.name}: {each.fault}": Safeguard(each.test, each.out, each.case) for each in safeguards_http.SAFEGUARDS},
}


def prove_safeguards(names: Iterable[str] = SAFEGUARDS, say: Callable[[str], object] = print) -> list[Line]:
    """Runs the tests with all safeguards in place, when they must pass, and each without its own, when it must fail."""
    wanted = {name: SAFEGUARDS[name] for name in names}
    tests = {guard.test for guard in wanted.values()}
    broken = _failures(tests)
    lines = [Line("safeguards", "all in place", len(tests), left_open=len(broken), note=", ".join(sorted(broken)))]
    for together in _rounds(wanted):
        failed = _failures({wanted[name].test for name in together}, together)
        for name in together:
            guard = wanted[name]
            is_caught = any(guard.guards(node) for node in failed)
            say(f"without {name}: {guard.test} {'fails' if is_caught else 'DOES NOT FAIL'}")
            lines.append(Line("safeguards", f"without {name}", 1, caught=guard.test if is_caught else ""))
    return lines


def _rounds(wanted: Mapping[str, Safeguard]) -> list[list[str]]:
    """Names that are taken out together: of one test never two, or the one would hide that the other is not missed."""
    rounds: list[list[str]] = []
    for name, guard in wanted.items():
        free = (each for each in rounds if all(wanted[other].test != guard.test for other in each))
        if (fitting := next(free, None)) is None:
            rounds.append([name])
        else:
            fitting.append(name)
    return rounds


def _failures(tests: Iterable[str], without: Iterable[str] = ()) -> set[str]:
    """The tests that fail, with their cases; one that does not come so far, for an error before it, has not failed."""
    command = [sys.executable, "-m", "pytest", "-q", "-rf", "--tb=no", "-n", "2", "--dist", "loadfile", *sorted(tests)]
    environment = os.environ | {TAKE_OUT: "\n".join(without)}
    ran = subprocess.run(command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True)
    if ran.returncode not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        raise RuntimeError(
            f"pytest could not run the tests of the safeguards:\n{ran.stdout[-2000:]}{ran.stderr[-2000:]}"
        )
    return set(re.findall(r"^FAILED (\S+(?: \S+)*?)(?: - .*)?$", ran.stdout, re.MULTILINE))


if __name__ == "__main__":
    found = prove_safeguards(sys.argv[1:] or SAFEGUARDS)
    sys.exit(0 if all(line.holds for line in found) else 1)
