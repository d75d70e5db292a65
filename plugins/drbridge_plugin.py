"""The one plugin. Airflow runs this file in every process, so it imports nothing but Airflow's base class."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin


class DrBridgePlugin(AirflowPlugin):
    """drbridge's entry in Airflow's list of plugins; operators, sensors and triggers are imported by the DAGs."""

    name = "drbridge"
