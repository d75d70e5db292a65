"""Packed files that are cut off, or blow up: refused whole, never taken in part, in flat memory."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from drbridge.exchange.desk import Desk
from drbridge_sandbox.sandbox import Sandbox
from tests.faults.ways import TAKEN, arrived, states
from tests.unit.checks.helpers import check
from tests.unit.good_rows import GOOD, csv_of

EVERY = 64
MOST_MEGABYTES = 120
BOMB_BYTES = 96 << 20


def zipped(data: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("SDCSE_0042_00.csv", data)
    return out.getvalue()


def cut_at_a_line_end(data: bytes) -> bytes:
    """The beginning of a gz that unpacks to whole lines: only the end that is missing tells that it was cut."""
    packer = zlib.compressobj(wbits=31)
    return packer.compress(data[: data.rindex(b"\n", 0, len(data) // 2) + 1]) + packer.flush(zlib.Z_SYNC_FLUSH)


def scores(rows: int) -> bytes:
    """A good file that cannot be packed well."""
    random = Random(4)
    changes: list[dict[str, str | None]] = [{"nicId": random.randbytes(8).hex(":")} for _ in range(rows)]
    return csv_of("device_score", *changes)


@pytest.mark.parametrize("pack", [gzip.compress, zipped], ids=["gz", "zip"])
def test_a_packed_file_cut_at_every_64th_byte_is_refused_and_gives_no_row(
    pack: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    whole = pack(scores(160))
    cuts = range(0, len(whole), EVERY)
    assert len(cuts) > 40
    for cut in cuts:
        checked = check("device_score", whole[:cut], tmp_path / f"{cut}")
        assert checked.refusal in ("truncated", "empty_file"), cut
        assert (checked.report.accepted, checked.accepted) == (0, set())
    assert check("device_score", whole, tmp_path / "whole").report.accepted == 160


def test_no_row_of_a_cut_file_goes_and_all_of_the_whole_file_do(desk: Desk, box: Sandbox) -> None:
    whole = gzip.compress(scores(30))
    cuts = {f"SDCSE_{number:04d}_00.csv.gz": whole[:cut] for number, cut in enumerate(range(0, len(whole), 2 * EVERY))}
    cuts["SDCSE_8888_00.csv.gz"] = cut_at_a_line_end(scores(30))
    for name, data in cuts.items():
        box.drop(TAKEN.url, name, data)
    assert states(desk, TAKEN) == dict.fromkeys(cuts, "refused")
    assert set(box.files(TAKEN.url)) == {f"Error-{name}" for name in cuts}
    assert arrived(box, TAKEN) == {}
    box.drop(TAKEN.url, "SDCSE_9999_00.csv.gz", whole)
    assert states(desk, TAKEN) == {"SDCSE_9999_00.csv.gz": "settled"}
    assert len(arrived(box, TAKEN)) == 30


def bomb(folder: Path, name: str, unit: bytes) -> Path:
    """A small archive of one block that comes again and again."""
    path, block = folder / name, unit * ((1 << 20) // len(unit))
    header = csv_of("device_score")
    if name.endswith(".gz"):
        with gzip.open(path, "wb", compresslevel=1) as file:
            file.writelines([header, *[block] * (BOMB_BYTES >> 20)])
    else:
        packing = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1)
        with packing as archive, archive.open("SDCSE_0042_00.csv", "w") as member:
            member.writelines([header, *[block] * (BOMB_BYTES >> 20)])
    return path


def test_a_bomb_is_refused_in_flat_memory(tmp_path: Path) -> None:
    row = ",".join(GOOD["device_score"].values()).encode() + b"\n"
    small = tmp_path / "small.csv"
    small.write_bytes(csv_of("device_score", {}))
    bombs = [bomb(tmp_path, "rows.gz", row), bomb(tmp_path, "endless.gz", b"a"), bomb(tmp_path, "rows.zip", row)]
    assert max(path.stat().st_size for path in bombs) < 2 << 20
    command = [sys.executable, "-m", "tests.faults.memory", "device_score", str(BOMB_BYTES - (8 << 20)), str(small)]
    told = subprocess.run([*command, *map(str, bombs)], stdout=subprocess.PIPE, check=True).stdout
    found = [json.loads(line) for line in told.splitlines()]
    assert [each[:2] for each in found] == [
        ["rows.gz", "unpacks_too_large"], ["endless.gz", "field_too_long"], ["rows.zip", "unpacks_too_large"],
    ]  # fmt: skip
    assert max(megabytes for _, _, megabytes in found) < MOST_MEGABYTES, found
