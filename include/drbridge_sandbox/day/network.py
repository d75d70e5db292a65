"""Where service points hang on the network: the whole of it, as the DERMS exports it once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

from drbridge_sandbox.day import ids
from drbridge_sandbox.day.planting import Fields, Layout, Spoil

BEGAN, MOVED = datetime(2020, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)
ALWAYS_THERE = "999999999999"
LAYOUT = Layout(
    ("externalServicePointId", "transformerId", "feederId", "substationId", "phase", "effectiveStartDateTime",
     "effectiveEndDateTime", "initialLoadFlag", "changeAction", "changeDateTime"),
    (
        Spoil("overlaps", "externalServicePointId", ALWAYS_THERE),
        Spoil("missing", "feederId"),
        Spoil("deletes_in_full_load", "changeAction", "D"),
        Spoil("end_before_start", "effectiveEndDateTime", "2001-01-01T00:00:00Z"),
        Spoil("not_in_list", "phase", "AD"),
        Spoil("no_offset", "changeDateTime", "2026-07-13T02:10:00"),
        Spoil("too_long", "externalServicePointId", "9" * 31),
        Spoil("too_few_fields"),
    ),
    other=("feederId", "FDR-OTHER"),
)  # fmt: skip


def always_there(day: date) -> Fields:
    """A service point that has had one feeder all the time: another row about it overlaps."""
    start = _stamp(BEGAN - timedelta(days=1))
    return [ALWAYS_THERE, "XFMR-0", "FDR-0", "SUB-0", "ABC", start, "", "F1IL", "A", f"{day}T01:00:00Z"]


def locations(day: date, rows: int) -> Iterator[Fields]:
    """Two rows for each service point, one beginning when the other ends: it was moved to another feeder."""
    for number in range(rows):
        point, moved = divmod(number, 2)
        began, moves = (_stamp(first + timedelta(seconds=point)) for first in (BEGAN, MOVED))
        start, end = (moves, "") if moved else (began, moves)
        yield [
            ids.service_point(point), f"XFMR-{point % 997}", f"FDR-{point % 40 + moved}", f"SUB-{point % 9}" * moved,
            ("A", "B", "C", "ABC")[point % 4], start, end, "F1IL", "A", f"{day}T01:{point % 60:02d}:00Z",
        ]  # fmt: skip


def _stamp(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
