"""All benches one after the other, and docs/performance.md from what they measured.

    python bench/every.py
    python bench/every.py --tiny      # whether they function: small sizes, figures worth nothing, docs/ left alone

Goes on when a bar does not hold or a bench breaks off, and ends with 1 then. Two quiet cores need about 26 minutes.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import json
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from peers import versions
from side import RESULTS, ROOT, machine

from drbridge.cli.docs import NOTE
from drbridge.cli.performance_page import page_of

TINY: dict[str, tuple[str, ...]] = {
    "relay": ("loopback", "round-trip", "--megabytes", "20", "--pairs", "1"),
    "check": ("scores", "kwh", "--rows", "20000", "--share", "5000", "--pairs", "1"),
    "rest": ("--rows", "500", "--pairs", "1"),
    "outcome": ("--rows", "20000"),
    "latency": ("--seconds", "30"),
    "parse": ("--runs", "2"),
}


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--tiny", action="store_true")
    tiny = options.parse_args().tiny
    started, failed, told = time.monotonic(), [], []
    for name, small in TINY.items():
        kept = RESULTS / f"{name}.json"
        kept.unlink(missing_ok=True)
        print(f"\n{(time.monotonic() - started) / 60:.1f} min: {name}", flush=True)
        code = subprocess.run([sys.executable, f"bench/{name}.py", *(small if tiny else ())], cwd=ROOT).returncode
        found = json.loads(kept.read_text(), parse_float=_short) if kept.exists() else None
        told += [found | {"about": about(name), "command": f"make bench-{name}"}] if found else []
        failed += [name] if found is None or (code and all(bar["holds"] for bar in found["bars"])) else []
    data = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine(), "commit": _commit(),
        "versions": versions(), "command": "make bench", "minutes": round((time.monotonic() - started) / 60, 1),
        "failed": failed, "benches": told,
    }  # fmt: skip
    page = _keep(RESULTS / "tiny" if tiny else ROOT / "docs", data)
    missed = [f"bar {bar['number']}: {bar['work']}" for bench in told for bar in bench["bars"] if not bar["holds"]]
    print(f"\n{data['minutes']} minutes; {page} written")
    print(*(f"does not hold: {each}" for each in missed), *(f"failed: {name}" for name in failed), sep="\n")
    return 1 if missed or failed else 0


def about(name: str) -> str:
    """What a bench says of itself, without how it is called."""
    text = ast.get_docstring(ast.parse((ROOT / "bench" / f"{name}.py").read_text(encoding="utf-8"))) or ""
    return "\n\n".join(part for part in inspect.cleandoc(text).split("\n\n") if not part.startswith(" "))


def _keep(folder: Path, data: dict[str, Any]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "performance.json").write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    page = folder / "performance.md"
    page.write_text(NOTE + page_of(data), encoding="utf-8")
    return page


def _short(number: str) -> float:
    return round(float(number), 3)


def _commit() -> str:
    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no")
    return git("rev-parse", "--short=12", "HEAD") + (" with changes" if changed else "")


if __name__ == "__main__":
    sys.exit(main())
