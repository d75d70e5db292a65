"""A run as its tasks see it, for bricks that are executed one by one without a scheduler."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

FORM_AS_SHOWN = {"file": None, "since": None, "until": None, "resend": "nothing", "dry_run": False}
"""What a form says that nobody has filled in."""


@dataclass
class DagRun:
    """What a task is told of its run."""

    dag_id: str
    run_id: str = "manual__1"
    run_type: str = "manual"
    data_interval_start: datetime | None = None
    data_interval_end: datetime | None = None
    triggering_user_name: str | None = "maria"
