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

from tests.faults import safeguards_files, safeguards_requests
from tests.faults.line import Line
from tests.faults.taken_out import EACH, TAKE_OUT

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Safeguard:
    """One thing that keeps a fault from doing harm.

    Attributes:
        test: pytest's name of the test that fails without it.
        take_out: takes it out of the running code.
    """

    test: str
    take_out: Callable[[pytest.MonkeyPatch], None]


SAFEGUARDS: Mapping[str, Safeguard] = {
    name: Safeguard(*each)
    for group in (safeguards_requests.SAFEGUARDS, safeguards_files.SAFEGUARDS)
    for name, each in group.items()
}


def prove_safeguards(names: Iterable[str] = SAFEGUARDS, say: Callable[[str], object] = print) -> list[Line]:
    """Runs the tests with all safeguards in place, when they must pass, and each without its own, when it must fail."""
    wanted = {name: SAFEGUARDS[name].test for name in names}
    broken, lines = _failures(wanted.values()), []
    lines.append(
        Line("safeguards", "all in place", len(set(wanted.values())), left_open=len(broken), note=", ".join(broken))
    )
    failed = _failures(wanted.values(), EACH)
    for name, test in wanted.items():
        say(f"without {name}: {test} {'fails' if test in failed else 'DOES NOT FAIL'}")
        lines.append(Line("safeguards", f"without {name}", 1, caught=test if test in failed else ""))
    return lines


def _failures(tests: Iterable[str], without: str = "") -> set[str]:
    """The tests that fail; one that does not come so far, for an error before it, has not failed."""
    command = [sys.executable, "-m", "pytest", "-q", "-rf", "--tb=no", "-p", "no:cacheprovider", *sorted(set(tests))]
    environment = os.environ | ({TAKE_OUT: without} if without else {})
    ran = subprocess.run(command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True)
    if ran.returncode not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        raise RuntimeError(
            f"pytest could not run the tests of the safeguards:\n{ran.stdout[-2000:]}{ran.stderr[-2000:]}"
        )
    return {test.split("[")[0] for test in re.findall(r"^FAILED (\S+)", ran.stdout, re.MULTILINE)}


if __name__ == "__main__":
    found = prove_safeguards(sys.argv[1:] or SAFEGUARDS)
    sys.exit(0 if all(line.holds for line in found) else 1)
