"""What the demo's day came to: a table for people, the same as JSON for programs."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class FlowLine:
    """One flow at one destination.

    Attributes:
        deliveries: of files, messages or answers.
        seconds: from the first of them taken in to the last one settled.
        far_side: "exact", or what the far side holds that it should not, or lacks, or how requests ended otherwise.
    """

    flow: str
    destination: str
    deliveries: int
    rows: int
    acked: int
    rejected: int
    duplicate: int
    superseded: int
    parked: int
    open: int
    flagged: int
    seconds: float
    far_side: str

    @property
    def good(self) -> bool:
        parts = self.acked + self.rejected + self.duplicate + self.superseded + self.parked + self.open
        return self.rows == parts and not self.open and not self.parked and self.far_side == "exact"


@dataclass(frozen=True)
class Planted:
    """A bad row that was planted, and what drbridge said of it.

    Attributes:
        line: None when the whole file is bad.
        found: code and text of the problem; empty when it was missed.
    """

    file: str
    line: int | None
    planted: str
    found: str


@dataclass(frozen=True)
class Report:
    """The whole day.

    Attributes:
        recounted: what adding the books up anew said.
        agrees: whether that is what the ledger has.
    """

    day: str
    devices: int
    seconds: float
    lines: tuple[FlowLine, ...]
    planted: tuple[Planted, ...]
    differences: tuple[str, ...]
    recounted: str
    agrees: bool

    @property
    def good(self) -> bool:
        found = all(each.found for each in self.planted)
        return all(line.good for line in self.lines) and not self.differences and found and self.agrees


def write_report(report: Report, path: Path) -> None:
    """Writes the report where programs find it."""
    path.write_text(json.dumps(asdict(report) | {"good": report.good}, indent=1) + "\n", encoding="utf-8")


def print_report(report: Report, console: Console) -> None:
    """Prints what a person wants to see first: is everything where it should be?"""
    _flows(report, console)
    _planted(report, console)
    for difference in report.differences:
        console.print(f"[red]{difference}[/red]")
    console.print(f"Added up anew, {report.recounted}", style=None if report.agrees else "red")
    verdict = "[green]Every book balances and the far side holds exactly what it should.[/green]"
    console.print(verdict if report.good else "[red]Something is not as it should be; see above.[/red]")


def _flows(report: Report, console: Console) -> None:
    table = Table(title=f"{report.day}, {report.devices} devices, {report.seconds:.0f} s")
    columns = [name for name in FlowLine.__dataclass_fields__ if name != "destination"]
    for name in columns:
        table.add_column(name, justify="left" if name in ("flow", "far_side") else "right", overflow="fold")
    for line in report.lines:
        told = asdict(line)
        told["flow"] = f"{line.flow}\n  to {line.destination}"
        told["seconds"] = f"{line.seconds:.0f}"
        table.add_row(*(str(told[name]) for name in columns), style=None if line.good else "red")
    console.print(table)


def _planted(report: Report, console: Console, most_of_file: int = 6) -> None:
    missed = sum(not each.found for each in report.planted)
    table = Table(title=f"Planted: {len(report.planted)} bad rows and files, {missed} missed; the first of each file")
    for name in Planted.__dataclass_fields__:
        table.add_column(name, overflow="fold")
    shown = Counter[str]()
    for each in report.planted:
        shown[each.file] += 1
        if shown[each.file] <= most_of_file or not each.found:
            row = (each.file, str(each.line or "file"), each.planted, each.found or "MISSED")
            table.add_row(*row, style=None if each.found else "red")
    console.print(table)
