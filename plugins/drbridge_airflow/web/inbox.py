"""The inbox inside Airflow's API server."""

from __future__ import annotations

from typing import Any

from drbridge.inbox import create
from drbridge.inbox.paths import PUBLISHED_PREFIX, SHORT_PREFIX
from drbridge_airflow.desk import desk_for_worker
from drbridge_airflow.web.callers import AirflowCallers


def apps() -> list[dict[str, Any]]:
    """The inbox twice, as Airflow mounts it: under our own paths, and under those that other systems already call."""
    callers = AirflowCallers()
    return [
        {"app": create(desk_for_worker, callers), "url_prefix": SHORT_PREFIX, "name": "drbridge inbox"},
        {
            "app": create(desk_for_worker, callers, published=True),
            "url_prefix": PUBLISHED_PREFIX,
            "name": "drbridge inbox, published paths",
        },
    ]
