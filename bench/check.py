"""How fast files are checked and staged, beside pandas with pydantic and beside polars, and whether all say the same.

    python bench/check.py                 # bars 7 to 10
    python bench/check.py scores --rows 5000000

Ours is the brick `Take` of a flow: contract, unique keys, sha256, staging, ledger. The plain way (pandas for the file,
the model for each row) runs on a smaller file of the same kind: over it verdicts, lines and reasons are compared with
those of `drbridge check`, and then rates. Polars only counts rows that look right.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from files import write_kwh_avoided
from peers import need
from places import Place, brick, place
from side import ROOT, Bar, Part, Run, alternating, in_turn, of_process, ratio, tell

from drbridge_sandbox.day.drawn import Drawn
from drbridge_sandbox.day.scores import write_scores

SCORES = ("device_score", "dacs_derms_device_score", "scores", "SDCSE_0001_00.csv")
KWH = ("kwh_avoided", "ouai_dacs_kwh_avoided", "energy", "KWH_AVOIDED_20260713T233000Z_1.csv")
SOURCES = {"s3://ouai_objects/ouai/outgoing/energy": "inbox://energy",
           "sftp://dacs_files/outgoing/scores": "inbox://scores",
           "max_file_bytes = 1_073_741_824": "max_file_bytes = 8_000_000_000"}  # fmt: skip

Write = Callable[[Path, int, int], Drawn]


def ours(on: Place, kind: tuple[str, ...], drawn: Drawn) -> Run:
    """The brick that checks and stages, in a process of its own; the file lies in the inbox, on the disk of all."""
    with on.home() as env:
        folder = Path(env["DRBRIDGE_HOME"]) / "staging" / "inbox" / kind[2]
        folder.mkdir(parents=True)
        (folder / kind[3]).hardlink_to(on.folder / kind[3])
        run = brick("take", kind[1], kind[3], env=env, work=drawn.rows)
    return run


def agree(kind: tuple[str, ...], write: Write, rows: int) -> tuple[Run, list[str]]:
    """The plain way over a whole file, and where it does not say what `drbridge check` says, or what was planted."""
    with tempfile.TemporaryDirectory(prefix="drbridge-bench-") as folder:
        file = Path(folder) / kind[3]
        drawn = write(file, rows, 7)
        plain = of_process([sys.executable, str(ROOT / "bench/plain.py"), kind[0], str(file), "0"], rows)
        script = str(Path(sys.executable).with_name("drbridge"))
        said = of_process([script, "check", kind[0], str(file), "--json"], rows, right=(0, 1)).told
    return plain, list(_differences(said, plain.told["found"], drawn))


def _differences(said: Mapping[str, Any], plain: dict[str, Any], drawn: Drawn) -> list[str]:
    told = sorted((each["line"], each["field"], each["code"]) for each in said["problems"])
    wrong = [name for name in ("rows", "accepted", "duplicate") if said[name] != plain[name]]
    wrong += ["reasons"] if told != [tuple(each) for each in plain["problems"]] else []
    wrong += ["planted lines"] if {line for line, _, _ in told} != {each.line for each in drawn.refused} else []
    return wrong + (["sha256"] if said["sha256"] != drawn.sha else [])


def scores(rows: int, share: int, pairs: int) -> Part:
    """Bars 7 and 8."""
    plain, wrong = agree(SCORES, write_scores, share)
    with place(0.0, SOURCES) as on:
        file = on.folder / SCORES[3]
        drawn = write_scores(file, rows, 1)
        runs = alternating({
            "drbridge": partial(ours, on, SCORES, drawn),
            "polars lazy, only counting": partial(of_process, [sys.executable, "bench/lazy.py", str(file)], rows),
        }, pairs)  # fmt: skip
    mine, lazy = runs.values()
    what = f"check of {rows:,} scores, 0.1 % bad, unique keys, sha256, staged"
    return runs | {f"pandas + pydantic, {share:,} rows": [plain]}, [
        Bar(7, what, "pandas chunks + pydantic row loop", ratio(mine[:1], [plain]), 10),
        Bar(8, what, "a polars lazy scan that only counts", ratio(mine, lazy), 0.3),
    ], (_said(share, wrong),)  # fmt: skip


def kwh(rows: int, share: int, pairs: int) -> Part:
    """Bar 9."""
    plain, wrong = agree(KWH, write_kwh_avoided, share)
    with place(0.0, SOURCES) as on:
        drawn = write_kwh_avoided(on.folder / KWH[3], rows)
        runs = alternating({"drbridge, kWh avoided": partial(ours, on, KWH, drawn)}, pairs)
    (mine,) = runs.values()
    bar = Bar(9, f"check of {rows:,} kWh avoided rows, 16 intervals", "pandas chunks + pydantic row loop",
              ratio(mine[:1], [plain]), 10)  # fmt: skip
    return runs | {f"pandas + pydantic, kWh, {share:,} rows": [plain]}, [bar], (_said(share, wrong),)


def _said(rows: int, wrong: list[str]) -> str:
    same = f"WRONG: they differ in {', '.join(wrong)}" if wrong else "the same"
    return f"verdicts, lines and reasons of both over {rows:,} rows: {same}"


def memory(sizes: tuple[int, ...]) -> Part:
    """Bar 10."""
    runs: dict[str, list[Run]] = {}
    with place(0.0, SOURCES) as on:
        for rows in sizes:
            drawn = write_scores(on.folder / SCORES[3], rows, 1)
            runs[f"drbridge, {rows:,} scores"] = [ours(on, SCORES, drawn)]
    peaks = [run.megabytes for (run,) in runs.values()]
    return runs, [
        Bar(10, "check, peak memory, MB", "400", max(peaks), 400, is_most=True),
        Bar(10, "the same at each size: largest over smallest", "1.3", max(peaks) / min(peaks), 1.3, is_most=True),
    ], ()  # fmt: skip


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("parts", nargs="*", help="scores, kwh, memory; none: all")
    options.add_argument("--rows", type=int, default=5_000_000)
    options.add_argument("--share", type=int, default=500_000, help="rows for the plain way")
    options.add_argument("--pairs", type=int, default=5)
    given = options.parse_args()
    need("/usr/sbin/sshd")
    every: dict[str, Callable[[], Part]] = {
        "scores": partial(scores, given.rows, given.share, given.pairs),
        "kwh": partial(kwh, given.rows * 8 // 25, given.share // 5, given.pairs),
        "memory": partial(memory, (2_000_000, 10_000_000)),
    }
    runs, bars, notes = in_turn(every[name] for name in given.parts or every)
    code = tell("check", "rows", runs, bars, notes)
    return 1 if any("WRONG" in note for note in notes) else code


if __name__ == "__main__":
    sys.exit(main())
