"""Small files as the other systems would lay them out."""

from __future__ import annotations

from datetime import date, datetime

SCORES = "sftp://dacs_files/outgoing/scores"
SCORE_FLOW = "dacs_derms_device_score"
OUTCOMES = "sftp://derms_files/outgoing/outcome"
HEADER = (
    "deviceId,nicId,headEndSystem,programSubscriptionId,programCode,servicePointId,"
    "calculationDateTime,deviceScore,availabilityFlag\n"
)


def scores(rows: int = 3, day: date | datetime | str = "2026-07-13", bad: int = 0) -> bytes:
    """A file of device scores; `bad` further rows have a score that is no number."""
    lines = [
        f"10000{number},nic{number}-{day},HES,2000000000000{number},PCT,300,{day}T01:00:00Z,0.5,Y\n"
        for number in range(rows)
    ]
    spoilt = [
        f"1000{number},bad{number}-{day},HES,2000000000000{number},PCT,300,{day}T01:00:00Z,high,Y\n"
        for number in range(bad)
    ]
    return (HEADER + "".join(lines + spoilt)).encode()
