"""Checks files in a process of its own, and prints what became of each and how far memory rose above a small one's.

python -m tests.faults.memory <noun> <most bytes unpacked> <small file> <file> ...
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from drbridge.checks import FileCheck, Limits
from drbridge.contracts import CONTRACTS
from drbridge.spans import Spans

CHUNK_BYTES = 1 << 20


def verdict(noun: str, most: int, file: Path) -> str:
    """The code of the refusal, or how many rows were accepted."""

    @contextmanager
    def opened(_spans: Spans | None = None) -> Iterator[Iterator[bytes]]:
        with file.open("rb") as stream:
            yield iter(lambda: stream.read(CHUNK_BYTES), b"")

    with TemporaryDirectory() as folder:
        limits = Limits(max_unpacked_bytes=most)
        check = FileCheck(CONTRACTS[noun], workdir=Path(folder), now=datetime.now(UTC), delimiter=",", limits=limits)
        for _ in check.blocks(opened):
            pass
        report = check.report()
    return report.refusal.code if report.refusal else str(report.accepted)


def megabytes() -> float:
    """The most memory that this process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(noun: str, most: str, small: str, *files: str) -> None:
    verdict(noun, int(most), Path(small))
    before = megabytes()
    for file in files:
        print(json.dumps([Path(file).name, verdict(noun, int(most), Path(file)), round(megabytes() - before)]))


if __name__ == "__main__":
    main(*sys.argv[1:])
