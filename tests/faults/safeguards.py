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
from tests.faults.take_out import OUT
from tests.faults.taken_out import TAKE_OUT

ROOT = Path(__file__).resolve().parents[2]
FAILED = int(pytest.ExitCode.TESTS_FAILED)


@dataclass(frozen=True)
class Safeguard:
    """One thing that keeps a fault from doing harm.

    Attributes:
        fault: in words.
        test: pytest's name of the test that fails without it.
        take_out: takes it out of the running code.
    """

    fault: str
    test: str
    take_out: Callable[[pytest.MonkeyPatch], None]


SAFEGUARDS: Mapping[str, Safeguard] = {name: Safeguard(*each) for name, each in OUT.items()}


def prove_safeguards(names: Iterable[str] = SAFEGUARDS, say: Callable[[str], object] = print) -> list[Line]:
    """Runs each safeguard's test with it, when it must pass, and without it, when it must fail."""
    wanted = list(names)
    with_all = _pytest({SAFEGUARDS[name].test for name in wanted})
    lines = [Line("safeguards", "all in place", len(wanted), left_open=int(with_all != 0))]
    for name in wanted:
        guard = SAFEGUARDS[name]
        is_caught = _pytest({guard.test}, name) == FAILED
        say(f"without {name}: {guard.test} {'fails' if is_caught else 'DOES NOT FAIL'}")
        lines.append(Line("safeguards", f"without {name}", 1, caught=guard.test if is_caught else ""))
    return lines


def _pytest(tests: Iterable[str], without: str = "") -> int:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *sorted(tests)]
    environment = os.environ | ({TAKE_OUT: without} if without else {})
    return subprocess.run(command, cwd=ROOT, env=environment, check=False, stdout=subprocess.DEVNULL).returncode


if __name__ == "__main__":
    found = prove_safeguards(sys.argv[1:] or SAFEGUARDS)
    sys.exit(0 if all(line.holds for line in found) else 1)
