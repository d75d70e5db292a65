"""`python -m tests.faults.search [interleavings|variants|chain|stateful]` prints its part of the proof's table."""

from __future__ import annotations

import sys

from tests.faults.line import table
from tests.faults.search import prove_chain, prove_interleavings, prove_stateful, prove_variants

PARTS = {
    "interleavings": prove_interleavings,
    "variants": prove_variants,
    "chain": prove_chain,
    "stateful": prove_stateful,
}


def main(names: list[str]) -> int:
    lines = [line for name in names or PARTS for line in PARTS[name]()]
    print(table(lines))
    return 0 if all(line.holds for line in lines) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
