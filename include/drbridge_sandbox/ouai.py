"""OUAI: works on the enrollment files in its bucket and lays an acknowledgement file into its outgoing folder.

Each enrollment gets one row: SUCCESS, or ERROR with a reason. Rows of an initial load get none.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection
from datetime import UTC, datetime

from drbridge_sandbox.places import Place
from drbridge_sandbox.sandbox import Sandbox

INCOMING = "s3://ouai_objects/ouai/incoming/enrollment"
OUTGOING = "s3://ouai_objects/ouai/outgoing/ack"
DONE = "s3://ouai_objects/ouai/processed/enrollment"
COLUMNS = (
    "syncRequestId", "programSubscriptionId", "ackStatus", "messageCategory", "messageNumber", "messageText",
    "messageParameters", "processedDateTime", "sourceFileName",
)  # fmt: skip
CATEGORY = "90000"
SYNC_ID = re.compile(r"[0-9]{1,14}")


def process_enrollments(
    box: Sandbox, at: datetime | None = None, unknown_points: Collection[str] = ()
) -> dict[str, int]:
    """Works on every enrollment file that has not been worked on: one acknowledgement file for each.

    Args:
        at: the time that goes into names and rows; now, if it is not said.
        unknown_points: service points that OUAI does not know: their enrollments are refused.

    Returns:
        The acknowledgement files it laid down, with their numbers of rows.
    """
    moment = (at or datetime.now(UTC)).astimezone(UTC)
    incoming, outgoing, done = box.place(INCOMING), box.place(OUTGOING), box.place(DONE)
    written: dict[str, int] = {}
    for number, name in enumerate(sorted(set(incoming.names()) - set(done.names())), 1):
        rows = _acknowledge(_text(incoming, name), name, f"{moment:%Y-%m-%dT%H:%M:%SZ}", unknown_points)
        ack_name = f"ENROLL_ACK_{moment:%Y%m%dT%H%M%SZ}_{number}.csv"
        if rows:
            outgoing.drop(ack_name, _csv(rows))
            written[ack_name] = len(rows)
        done.drop(name, b"")
    return written


def _text(place: Place, name: str) -> str:
    return b"".join(place.read(name)).decode("utf-8-sig")


def _acknowledge(text: str, source: str, at: str, unknown_points: Collection[str]) -> list[list[str]]:
    found: dict[str, list[str]] = {}
    for row in csv.DictReader(io.StringIO(text, newline="")):
        sync_id = row.get("syncRequestId") or ""
        if not SYNC_ID.fullmatch(sync_id) or row.get("initialLoadFlag") == "F1IL":
            continue
        reason = _reason(row, unknown_points)
        told = ["ERROR", CATEGORY, *reason] if reason else ["SUCCESS", "", "", "", ""]
        found[sync_id] = [sync_id, row.get("programSubscriptionId") or "", *told, at, source]
    return list(found.values())


def _reason(row: dict[str, str | None], unknown_points: Collection[str]) -> tuple[str, str, str] | None:
    point = row.get("servicePointId") or ""
    if not point or point in unknown_points:
        return "1001", "Unknown service point", f"SP {point}"
    if row.get("action") not in ("ENROLL", "UNENROLL") or row.get("initialLoadFlag") != "F1IC":
        return "1003", "The enrollment cannot be read", f"{row.get('action')}"
    if row.get("action") == "UNENROLL" and not row.get("endDateTime"):
        return "1004", "The end of the enrollment is missing", f"{row.get('programSubscriptionId')}"
    return None


def _csv(rows: list[list[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows([COLUMNS, *rows])
    return text.getvalue().encode()
