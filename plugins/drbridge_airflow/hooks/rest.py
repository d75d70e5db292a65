"""REST sides as an Airflow hook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drbridge_airflow.hooks.connections import outside
from drbridge_airflow.hooks.outside_hook import OutsideHook

if TYPE_CHECKING:
    from drbridge.ports import RestTarget


class RestHook(OutsideHook):
    """A REST side: Basic or OAuth2 client credentials, time limits on everything, no redirect followed."""

    conn_type = "http"
    hook_name = "REST target"
    default_conn_name = "http_default"

    def target(self) -> RestTarget:
        """The target, to be used inside one event loop; close it after use."""
        return outside().target(self.conn_id)
