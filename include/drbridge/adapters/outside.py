"""Opens what `systems.toml` names, by way of connections: Airflow's own, or AIRFLOW_CONN_* without Airflow."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from drbridge.errors import Misconfigured
from drbridge.exchange.staging import Staging
from drbridge.ports import Connection, FileStore, RestTarget

ENV_PREFIX = "AIRFLOW_CONN_"


class ConnectionsOutside:
    """Stores and REST targets behind connections.

    Args:
        get_connection: gives the connection with an id, or raises Misconfigured.
        on_secret: told every token that is fetched, so that logs can mask it.
        inbox: where files lie that came by REST; by default beside the staging.
    """

    def __init__(
        self,
        get_connection: Callable[[str], Connection],
        on_secret: Callable[[str], None] = lambda _: None,
        inbox: Path | None = None,
    ) -> None:
        self._get_connection, self._on_secret, self._inbox = get_connection, on_secret, inbox

    def store(self, url: str) -> FileStore:
        """The folder or prefix at `sftp://<connection>/<folder>` or `s3://<connection>/<bucket>/<prefix>`.

        A folder is relative to where the login starts; `sftp://<connection>//<folder>` starts at the root.
        `inbox://<folder>` is where files that came by REST lie; several addresses with blanks between are one place.

        Raises:
            Misconfigured: the address or its connection cannot be used.
        """
        if len(urls := url.split()) > 1:
            from drbridge.adapters.several import SeveralPlaces

            return SeveralPlaces([self.store(each) for each in urls])
        kind, _, rest = url.partition("://")
        conn_id, _, place = rest.partition("/")
        if kind == "sftp" and conn_id:
            from drbridge.adapters.sftp import SftpStore

            return SftpStore(self._typed(conn_id, "sftp", "ssh"), place)
        if kind == "s3" and conn_id and place:
            from drbridge.adapters.s3 import S3Store

            bucket, _, prefix = place.partition("/")
            return S3Store(self._typed(conn_id, "aws"), bucket, prefix)
        if kind == "inbox" and rest:
            from drbridge.adapters.inbox_folder import InboxFolder

            return InboxFolder(self._inbox or Staging().inbox, rest)
        raise Misconfigured(
            f"{url!r} is no place for files", fix="write sftp://connection/folder or s3://connection/bucket/prefix"
        )

    def target(self, conn_id: str) -> RestTarget:
        """The REST side behind a connection.

        Raises:
            Misconfigured: the connection cannot be used.
        """
        from drbridge.adapters.http import HttpTarget

        return HttpTarget(self._typed(conn_id, "http"), self._on_secret)

    def _typed(self, conn_id: str, *kinds: str) -> Connection:
        connection = self._get_connection(conn_id)
        if connection.conn_type not in kinds:
            raise Misconfigured(
                f"Connection {conn_id} is of type {connection.conn_type}, not {kinds[0]}",
                fix=f"make it a connection of type {kinds[0]}, or name another in systems.toml",
            )
        return connection


def environment_connection(conn_id: str) -> Connection:
    """The connection that AIRFLOW_CONN_<ID> describes.

    Raises:
        Misconfigured: the variable is missing or cannot be read.
    """
    text = os.environ.get(ENV_PREFIX + conn_id.upper())
    if not text:
        raise Misconfigured(f"There is no connection {conn_id}", fix=f"set {ENV_PREFIX}{conn_id.upper()}")
    return connection_from_text(conn_id, text)


def connection_from_text(conn_id: str, text: str) -> Connection:
    """Reads a connection as Airflow writes it: JSON, or an address.

    Raises:
        Misconfigured: it is neither.
    """
    try:
        fields = json.loads(text) if text.lstrip().startswith("{") else _from_uri(text)
        return connection_from_fields(conn_id, fields)
    except (ValueError, TypeError, AttributeError):
        raise Misconfigured(
            f"Connection {conn_id} cannot be read", fix=f"write {ENV_PREFIX}{conn_id.upper()} as in .env.example"
        ) from None


connection_from_json = connection_from_text


def connection_from_fields(conn_id: str, fields: Mapping[str, Any]) -> Connection:
    """A connection from the fields of Airflow's; the extras may be a mapping or JSON text."""
    if fields.get("uri"):
        fields = _from_uri(str(fields["uri"]))
    extra = fields.get("extra") or {}
    extra = json.loads(extra) if isinstance(extra, str) else extra
    if not isinstance(extra, dict):
        raise TypeError("extras are no mapping")
    port = fields.get("port")
    return Connection(
        conn_id=conn_id, conn_type=_kind(str(fields.get("conn_type") or "")), host=str(fields.get("host") or ""),
        port=int(port) if port not in (None, "") else None, login=str(fields.get("login") or ""),
        password=str(fields.get("password") or ""), schema=str(fields.get("schema") or ""), extra=extra,
    )  # fmt: skip


def _kind(conn_type: str) -> str:
    kind = conn_type.lower().replace("-", "_")
    return {"https": "http", "s3": "aws"}.get(kind, kind)


def _from_uri(text: str) -> dict[str, Any]:
    """`type://login:password@host:port/schema?extra=value`, each part percent-encoded; `__extra__` holds JSON."""
    address = urlsplit(text)
    if not address.scheme:
        raise ValueError("no connection type")
    query = dict(parse_qsl(address.query, keep_blank_values=True))
    extra: Any = json.loads(query["__extra__"]) if "__extra__" in query else query
    host = address.netloc.rpartition("@")[2].rpartition(":")[0] if address.port is not None else ""
    return {
        "conn_type": address.scheme, "host": unquote(host or address.netloc.rpartition("@")[2].rstrip(":")),
        "port": address.port, "login": unquote(address.username or ""), "password": unquote(address.password or ""),
        "schema": unquote(address.path.removeprefix("/")) or ("https" if address.scheme == "https" else ""),
        "extra": extra,
    }  # fmt: skip
