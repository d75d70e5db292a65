"""Outsides with something wrong."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from drbridge.adapters.outside import ConnectionsOutside
from drbridge.errors import Unreachable
from drbridge.ports import Connection, FileStore, Outside, RestTarget


@dataclass(frozen=True)
class Unplugged:
    """The outside with one store behind a port that refuses connections."""

    real: Outside
    url: str

    def store(self, url: str) -> FileStore:
        if url != self.url:
            return self.real.store(url)
        extra = {"endpoint_url": f"http://127.0.0.1:{closed_port()}", "region_name": "local"}
        gone = Connection("gone", "aws", login="x", password="y", extra=extra)
        return ConnectionsOutside(lambda _: gone).store(url)

    def target(self, conn_id: str) -> RestTarget:
        return self.real.target(conn_id)


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class OneDown(Outside):
    """The outside with one store that cannot be reached."""

    def __init__(self, real: Outside, url: str) -> None:
        self._real, self._url = real, url

    def store(self, url: str) -> FileStore:
        if url == self._url:
            raise Unreachable(f"{url} is down")
        return self._real.store(url)

    def target(self, conn_id: str) -> RestTarget:
        return self._real.target(conn_id)
