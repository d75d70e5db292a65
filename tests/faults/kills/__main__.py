"""Kills processes and prints what came of it: `python -m tests.faults.kills`."""

import sys
from functools import partial

from tests.faults.kills.sweep import prove_kills
from tests.faults.line import table

if __name__ == "__main__":
    proven = prove_kills(partial(print, flush=True))
    print(table(proven))
    sys.exit(not all(line.holds for line in proven))
