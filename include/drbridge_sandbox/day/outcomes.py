"""Event outcomes of a day: one event of two stages, and another event."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from random import Random

from drbridge_sandbox.day import ids
from drbridge_sandbox.day.planting import Fields, Layout, Plan, Spoil

LAYOUT = Layout(
    ("recordId", "eventId", "stageId", "programId", "servicePointId", "nicId", "headEndSystemId", "outcome",
     "participationStartDateTime", "participationEndDateTime", "errorMessage"),
    (
        Spoil("not_in_list", "outcome", "MAYBE"),
        Spoil("missing", "nicId"),
        Spoil("end_before_start", "participationEndDateTime", "2001-01-01T00:00:00Z"),
        Spoil("missing_times", "participationStartDateTime"),
        Spoil("no_such_time", "participationStartDateTime", "2026-06-31T18:00:00Z"),
        Spoil("too_long", "stageId", "9" * 121),
        Spoil("too_few_fields"),
    ),
    other=("programId", "19999999999999"),
)  # fmt: skip
DACS_CODES = {
    "SUCCESS": "D1SP", "OVERRIDE": "D1IO", "NON_RESPONSIVE": "D1ND", "REJECTED": "D1ER", "ERROR": "D1ER",
    "CANCELLED": "D1CN",
}  # fmt: skip
CODES = tuple(DACS_CODES)
SHARES = (80, 8, 6, 2, 3, 1)
LONG_MESSAGE = "Compressor lock-out: " + "retry " * 20
MESSAGES = {"REJECTED": "Control signal rejected", "ERROR": LONG_MESSAGE}
SENT_MESSAGE = 100


@dataclass(frozen=True)
class Stage:
    """One stage of an event."""

    event: str
    stage: str
    start: str
    end: str


def stages(day: date) -> tuple[Stage, ...]:
    """The stages of the day's two events."""
    return (
        Stage(f"{day:%y%m%d}01", f"{day:%y%m%d}011", f"{day}T18:00:00Z", f"{day}T20:00:00Z"),
        Stage(f"{day:%y%m%d}01", f"{day:%y%m%d}012", f"{day}T20:00:00Z", f"{day}T22:00:00Z"),
        Stage(f"{day:%y%m%d}02", f"{day:%y%m%d}021", f"{day}T14:00:00Z", f"{day}T16:00:00Z"),
    )


def outcomes(random: Random, where: tuple[Stage, ...], plan: Plan) -> Iterator[Fields]:
    """Rows of an outcome file, shared out evenly over the stages; rows to be spoiled are successes."""
    rows = plan.rows
    devices = -(-rows // len(where))
    for number in range(rows):
        stage, device = where[number // devices], number % devices
        code = "SUCCESS" if number in plan.bad else random.choices(CODES, SHARES)[0]
        took_part = code in ("SUCCESS", "OVERRIDE")
        end = f"{stage.end[:11]}{int(stage.end[11:13]) - 1:02d}:30:00Z" if code == "OVERRIDE" else stage.end
        yield [
            str(number + 1), stage.event, stage.stage, ids.program(device)[0], ids.service_point(device),
            ids.nic(device), ids.head_end(device), code, stage.start if took_part else "", end if took_part else "",
            MESSAGES.get(code, ""),
        ]  # fmt: skip


def effect(fields: Fields) -> tuple[str, str]:
    """The business key at DACS, and what must be known there."""
    _, _, stage, _, _, nic, head_end, code, start, end, message = fields
    return f"{stage}/{head_end}/{nic}", f"{DACS_CODES[code]}|{start}|{end}|{message[:SENT_MESSAGE]}"
