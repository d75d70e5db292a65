"""The one plugin. Airflow runs this file in every process, so it imports nothing but Airflow's base class."""

from __future__ import annotations

from typing import Any

from airflow.plugins_manager import AirflowPlugin


class DrBridgePlugin(AirflowPlugin):
    """drbridge's entry in Airflow's list of plugins; operators, sensors and triggers are imported by the DAGs."""

    name = "drbridge"

    @property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """The inbox; asked for by the API server only, and imported only then."""
        from drbridge_airflow.web.inbox import apps

        return apps()
