"""Hooks: DACS, DERMS and the CIS by name; content servers, object storage and REST sides in general.

They stand behind Airflow's connections, for bricks and for your own DAGs.

The connection types and their forms are those of the sftp, amazon and http providers. The hooks do not subclass the
providers' ones: importing those costs every task process half a second, and their I/O is not ours (decision 0011).
"""

from drbridge_airflow.hooks.cis import CisHook
from drbridge_airflow.hooks.content_server import ContentServerHook
from drbridge_airflow.hooks.dacs import DacsHook
from drbridge_airflow.hooks.derms import DermsHook
from drbridge_airflow.hooks.object_storage import ObjectStorageHook
from drbridge_airflow.hooks.rest import RestHook

__all__ = ["CisHook", "ContentServerHook", "DacsHook", "DermsHook", "ObjectStorageHook", "RestHook"]
