"""The fast path and the plain row loop say the same of every row, however it is changed.

DRBRIDGE_FUZZ_SECONDS=600 runs on with fresh seeds for that long.
"""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from drbridge.checks import Limits
from drbridge.contracts import CONTRACTS
from tests.unit.checks import fuzz, reference
from tests.unit.checks.helpers import NOW, check

SECONDS = float(os.environ.get("DRBRIDGE_FUZZ_SECONDS", "0"))
FIRST_SEED = int(os.environ.get("DRBRIDGE_FUZZ_SEED", "0")) or (int(time.time()) if SECONDS else 1)


def compare(noun: str, data: bytes, workdir: Path, block_bytes: int, chunk: int, mark: str = ",") -> int:
    contract = CONTRACTS[noun]
    plain = reference.check(contract, data, NOW, mark)
    limits = Limits(block_bytes=block_bytes, block_rows=block_bytes // 500 + 1, block_fields=block_bytes // 40)
    fast = check(contract, data, workdir, chunk=chunk, limits=limits, delimiter=mark)
    assert fast.refusal == plain.refusal
    if plain.refusal:
        return 0
    assert fast.rejected == plain.rejected
    assert fast.accepted == plain.accepted
    assert fast.report.rows == plain.rows == sum((fast.report.accepted, fast.report.rejected, fast.report.duplicate))
    assert fast.report.duplicate == len(plain.duplicate)
    return fast.report.accepted


def rounds(seconds: float, few: int) -> list[int]:
    return list(range(FIRST_SEED, FIRST_SEED + few)) if not seconds else []


@pytest.mark.timeout(SECONDS * 2 + 240)
@pytest.mark.parametrize("noun", CONTRACTS)
def test_fuzz_fast_and_plain_agree_on_every_row(noun: str, tmp_path: Path) -> None:
    until = time.monotonic() + SECONDS / (len(CONTRACTS) + 1)
    seed, accepted = FIRST_SEED, 0
    while seed < FIRST_SEED + 3 or time.monotonic() < until:
        chance = random.Random(seed)
        block = chance.choice([6_000, 20_000, 1 << 23])
        data = fuzz.file(noun, seed, rows=600)
        try:
            accepted += compare(noun, data, tmp_path / str(seed), block, chance.choice([7, 4096, 1 << 20]))
        except AssertionError:
            print(f"seed {seed}")
            raise
        seed += 1
    assert accepted > 100, "the fuzz must not be all bad rows"


@pytest.mark.timeout(SECONDS * 2 + 240)
def test_fuzz_quotes_and_line_ends_in_wrong_places(tmp_path: Path) -> None:
    until = time.monotonic() + SECONDS / (len(CONTRACTS) + 1)
    seed = FIRST_SEED
    while seed < FIRST_SEED + 120 or time.monotonic() < until:
        data = fuzz.structure(seed)
        try:
            compare(
                "enrollment_ack", data, tmp_path / str(seed), random.Random(seed).choice([40, 1 << 20]), 1 + seed % 64
            )
        except AssertionError:
            print(f"seed {seed}", data)
            raise
        seed += 1


@pytest.mark.parametrize("noun", ["enrollment_ack", "kwh_avoided"])
@pytest.mark.parametrize("mark", ["|", "\t", ";", "-", ".", ":", "+", "1", "T", "]", "^", "\\", " "])
def test_fuzz_any_delimiter_leaves_fast_and_plain_of_one_mind(noun: str, mark: str, tmp_path: Path) -> None:
    data = fuzz.file(noun, FIRST_SEED, 120, mark)
    compare(noun, data, tmp_path, 1 << 20, 4096, mark)
