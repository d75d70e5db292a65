"""Lets the other machines of a private network see the sandbox: the same ports, at this machine's name there."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from drbridge_sandbox.children import DidNotStart

INSIDE = "127.0.0.1"
CHUNK = 1 << 16

Connections = Mapping[str, Mapping[str, Any]]


def write_connections(connections: Connections, host: str, path: Path) -> None:
    """Writes the connections as `airflow connections import` reads them, with the servers at `host`."""
    told = {name: {**each, "extra": json.dumps(each.get("extra", {}))} for name, each in connections.items()}
    draft = path.with_suffix(".tmp")
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(told, indent=1).replace(INSIDE, host), encoding="utf-8")
    draft.replace(path)


def ports_of(connections: Connections) -> set[int]:
    """Where the servers listen."""
    addresses = [str(each.get("extra", {}).get("endpoint_url", "")) for each in connections.values()]
    ports = {int(each["port"]) for each in connections.values() if each.get("port")}
    return ports | {int(address.rpartition(":")[2]) for address in addresses if address}


async def keep_open(host: str, ports: set[int]) -> None:
    """Passes on what arrives for `host`, until it is cancelled.

    Raises:
        DidNotStart: it is no name of this machine, or a port there is taken.
    """
    try:
        address = socket.gethostbyname(host)
        servers = [await asyncio.start_server(_passing_on_to(port), address, port) for port in sorted(ports)]
    except OSError as error:
        raise DidNotStart(f"cannot listen at {host}: {error}") from error
    await asyncio.gather(*(server.serve_forever() for server in servers))


def _passing_on_to(port: int) -> Any:
    async def passing_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            inner_reader, inner_writer = await asyncio.open_connection(INSIDE, port)
        except OSError:
            writer.transport.abort()
            return
        await asyncio.gather(_copy(reader, inner_writer), _copy(inner_reader, writer))

    return passing_on


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
    with suppress(OSError, RuntimeError):
        writer.close()
