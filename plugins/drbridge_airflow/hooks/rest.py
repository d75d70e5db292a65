"""REST targets as an Airflow hook."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from airflow.providers.http.hooks.http import HttpHook

from drbridge.errors import DrBridgeError
from drbridge.ports import Call, Lost, NotSent
from drbridge_airflow.hooks import connection_of, outside

if TYPE_CHECKING:
    from drbridge.ports import Reply, RestTarget


class RestHook(HttpHook):
    """A REST target: connection and form are those of HTTP, requests go by our own adapter."""

    hook_name = "REST target"

    def __init__(self, http_conn_id: str = "http_default") -> None:
        super().__init__(http_conn_id=http_conn_id)

    def target(self) -> RestTarget:
        """The target, to be used inside one event loop; close it after use."""
        return outside().target(self.http_conn_id)

    def test_connection(self) -> tuple[bool, str]:
        """Asks for the path in the extra `health_path` (default `/`); with OAuth2 a token is fetched first."""
        try:
            path = str(connection_of(self.http_conn_id).extra.get("health_path") or "/")
            reply = asyncio.run(self._get(path))
        except (DrBridgeError, NotSent, Lost) as error:
            return False, str(error)
        if reply.status in (401, 403):
            return False, f"It answers, but refuses our login (HTTP {reply.status})"
        if 300 <= reply.status < 400 or reply.status >= 500:
            return False, f"It answers HTTP {reply.status} at {path}"
        return True, f"It answers HTTP {reply.status} at {path}"

    async def _get(self, path: str) -> Reply:
        target = self.target()
        try:
            return await target.call(Call("GET", path, key=""))
        finally:
            await target.close()
