"""Hooks: content servers, object storage and REST sides behind Airflow's connections; for bricks and for your own DAGs.

The connection types and their forms are those of the sftp, amazon and http providers. The hooks do not subclass the
providers' ones: importing those costs every task process half a second, and their I/O is not ours (decision 0011).
"""

from drbridge_airflow.hooks.content_server import ContentServerHook
from drbridge_airflow.hooks.object_storage import ObjectStorageHook
from drbridge_airflow.hooks.rest import RestHook

__all__ = ["ContentServerHook", "ObjectStorageHook", "RestHook"]
