"""What a flow starts with."""

from drbridge_airflow.sensors.files_waiting import FilesWaiting

__all__ = ["FilesWaiting"]
