"""Which safeguard keeps which fault off, and the test that fails when the safeguard is taken out."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.line import Line
from tests.faults.take_out import TESTS
from tests.faults.taken_out import TAKE_OUT

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Safeguard:
    """One thing that keeps a fault from doing harm.

    Attributes:
        without: what happens without it.
        test: pytest's name of the test that fails then.
        take_out: takes it out of the running code.
    """

    without: str
    test: str
    take_out: Callable[[pytest.MonkeyPatch], None]


SAFEGUARDS: Mapping[str, Safeguard] = {
    out.__name__.replace("_", " "): Safeguard(out.__doc__ or "", test, out) for out, test in TESTS.items()
}


def prove_safeguards(names: Iterable[str] = SAFEGUARDS, say: Callable[[str], object] = print) -> list[Line]:
    """Runs each safeguard's test with it, when it must pass, and without it, when it must fail."""
    wanted = list(names)
    passed, _ = _pytest({SAFEGUARDS[name].test for name in wanted})
    lines = [Line("safeguards", "all in place", len(wanted), left_open=int(not passed))]
    for name in wanted:
        guard = SAFEGUARDS[name]
        _, is_caught = _pytest({guard.test}, name)
        say(f"without {name}: {guard.test} {'fails' if is_caught else 'DOES NOT FAIL'}")
        caught = guard.test if is_caught else ""
        lines.append(Line("safeguards", f"{name} taken out: {guard.without}", 1, caught=caught))
    return lines


def _pytest(tests: Iterable[str], without: str = "") -> tuple[bool, bool]:
    """Whether the tests pass, and whether one fails: an error on the way to a test is neither."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-rfE", "-p", "no:cacheprovider", *sorted(tests)]
    environment = os.environ | ({TAKE_OUT: without} if without else {})
    ran = subprocess.run(command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True)
    return ran.returncode == 0, "\nFAILED " in ran.stdout and "\nERROR " not in ran.stdout


if __name__ == "__main__":
    found = prove_safeguards(sys.argv[1:] or SAFEGUARDS)
    sys.exit(0 if all(line.holds for line in found) else 1)
