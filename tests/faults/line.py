"""One line of the proof's table: a fault, how often it was tried, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """What trying one fault, or one broken variant, came to.

    Attributes:
        part: of the proof: interleavings, stateful, kills, cuts, variants, safeguards.
        fault: in words.
        tried: schedules, points or examples that were run to their end.
        lost, duplicated, torn, left_open: how many of them ended so.
        caught: of a broken variant, or a safeguard taken out: whether it was noticed, and by what; empty for others.
        note: what else there is to say.
    """

    part: str
    fault: str
    tried: int
    lost: int = 0
    duplicated: int = 0
    torn: int = 0
    left_open: int = 0
    caught: str | None = None
    note: str = ""

    @property
    def holds(self) -> bool:
        """Whether the promise was kept; for a broken variant: whether it was noticed that it was not."""
        if self.caught is not None:
            return bool(self.caught)
        return self.tried > 0 and not (self.lost or self.duplicated or self.torn or self.left_open)


def table(lines: Iterable[Line]) -> str:
    """The lines as a table for people."""
    head = ("part", "fault", "tried", "lost", "duplicated", "torn", "left open", "")
    rows = [head] + [_cells(line) for line in lines]
    widths = [max(len(row[place]) for row in rows) for place in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _cells(line: Line) -> tuple[str, ...]:
    if line.caught is not None:
        said = f"caught by {line.caught}" if line.caught else "NOT CAUGHT"
        return line.part, line.fault, f"{line.tried:,}", "", "", "", "", f"{said} {line.note}".strip()
    counts = (f"{each:,}" for each in (line.tried, line.lost, line.duplicated, line.torn, line.left_open))
    return line.part, line.fault, *counts, ("" if line.holds else "BROKEN ") + line.note
