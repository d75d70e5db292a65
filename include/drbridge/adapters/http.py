"""REST targets, over HTTP."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import aiohttp

from drbridge.adapters.deadlines import Deadlines
from drbridge.adapters.http_auth import Authority, ClientCredentials, FixedHeader, OnSecret, basic
from drbridge.adapters.http_body import Body, body_of
from drbridge.errors import Misconfigured
from drbridge.ports import LONGEST_CALL_SECONDS, Call, Connection, Lost, NotSent, Reply

CONNECT_SECONDS = 5.0
DEADLINE_SECONDS = LONGEST_CALL_SECONDS
SLOWEST_BYTES_A_SECOND = 1_000_000
LARGEST_REPLY_BYTES = 5_000_000
MOST_CONNECTIONS = 64
SHORTEST_SECRET = 4
# Shorter than servers keep idle connections, so that a request seldom meets one that is just being closed.
IDLE_SECONDS = 3.0


class HttpTarget:
    """The REST side of another system. Used inside one event loop; makes its client at the first call.

    Args:
        connection: an Airflow connection of type `http`; the extra `auth` is `basic`, `oauth2` or `none` (default:
            `basic` if there is a login); `verify` is false or a file of certificates; `cert` a client certificate.
        on_secret: told every token that is fetched, so that logs can mask it.
        deadline: seconds for one request from its first byte to the last of its reply, plus one for each megabyte.
    """

    def __init__(
        self, connection: Connection, on_secret: OnSecret = lambda _: None, deadline: float = DEADLINE_SECONDS
    ) -> None:
        self._connection, self._deadline = connection, deadline
        self._base = base_address(connection)
        self._authority = self._authority_of(on_secret)
        self._deadlines = Deadlines()
        self._room = asyncio.Semaphore(MOST_CONNECTIONS)
        self._session: aiohttp.ClientSession | None = None

    def _authority_of(self, on_secret: OnSecret) -> Authority:
        connection = self._connection
        match str(connection.extra.get("auth") or ("basic" if connection.login else "none")).lower():
            case "basic":
                return FixedHeader(basic(connection.login, connection.password))
            case "oauth2":
                return ClientCredentials(connection, self._base, self._fetch_token, on_secret)
            case "none":
                return FixedHeader("")
            case other:
                raise Misconfigured(
                    f"Connection {connection.conn_id} asks for authentication {other!r}, which we do not know",
                    fix="say basic, oauth2 or none in the extra auth",
                )

    async def call(self, call: Call) -> Reply:
        """Sends once, and once more when a refused token could be replaced."""
        authorization = await self._authority.header()
        reply = await self._send(call, authorization)
        if reply.status != 401 or (fresh := await self._authority.refreshed(authorization)) is None:
            return reply
        return await self._send(call, fresh)

    async def _send(self, call: Call, authorization: str) -> Reply:
        body = body_of(call)
        headers = {"Accept": "application/json", "Idempotency-Key": call.key, **body.headers, **call.headers}
        if call.is_read:
            del headers["Idempotency-Key"]
        if authorization:
            headers["Authorization"] = authorization
        reply = await self._exchange(call.method, self._base + "/" + call.path.lstrip("/"), headers, body)
        told = _without(reply.body, (authorization.partition(" ")[2], self._connection.password))
        return reply if told is reply.body else reply._replace(body=told)

    async def _fetch_token(self, url: str, form: bytes, headers: dict[str, str]) -> Reply:
        return await self._exchange("POST", url, headers, Body(len(form), {}, form))

    async def _exchange(self, method: str, url: str, headers: Mapping[str, str], body: Body) -> Reply:
        """One request and its whole reply, within the deadline.

        Whatever fails before the first byte of the request is given to the line is `NotSent`, all else is `Lost`.
        """
        async with self._room:
            wire = _Wire()
            _WIRE.set(wire)
            try:
                seconds = self._deadline + body.size / SLOWEST_BYTES_A_SECOND
                return await self._deadlines.within(seconds, self._answered(method, url, headers, body))
            except aiohttp.InvalidURL as error:
                raise Misconfigured(f"{self._base} is no address", fix=f"correct {self._connection.conn_id}") from error
            except (aiohttp.ClientError, OSError, ValueError, asyncio.IncompleteReadError) as error:
                raise _failure(error, sent=wire.has_it) from error

    async def _answered(self, method: str, url: str, headers: Mapping[str, str], body: Body) -> Reply:
        started = time.monotonic()
        async with self._client().request(
            method, url, headers=headers, data=body.content, allow_redirects=False
        ) as response:
            content = await _capped(response)
            return Reply(response.status, _plain(response), content, time.monotonic() - started)

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=_Connector(
                    limit=MOST_CONNECTIONS, ssl=self._tls(), keepalive_timeout=IDLE_SECONDS, happy_eyeballs_delay=0.25
                ),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(), request_class=_Request,
                headers={"User-Agent": "drbridge"},
            )  # fmt: skip
            # It would silently send a PUT twice when the line breaks.
            self._session._retry_connection = False
        return self._session

    def _tls(self) -> ssl.SSLContext | bool:
        verify, cert = str(self._connection.extra.get("verify", True)), self._connection.extra.get("cert")
        if verify.lower() == "false":
            return False
        is_ordinary = verify.lower() == "true"
        if is_ordinary and not cert:
            return True  # aiohttp's own context, made once for all: reading the machine's certificates takes 20 ms
        try:
            context = ssl.create_default_context(cafile=None if is_ordinary else verify)
            if cert:
                context.load_cert_chain(str(cert))
        except (OSError, ssl.SSLError) as error:
            raise Misconfigured(
                f"The certificates of connection {self._connection.conn_id} cannot be used",
                detail=type(error).__name__, fix="correct verify or cert in its extras",
            ) from error  # fmt: skip
        return context

    async def close(self) -> None:
        self._deadlines.close()
        if self._session is not None:
            await self._session.close()
            self._session = None


@dataclass
class _Wire:
    """What became of one request.

    Attributes:
        has_it: whether any of it may have gone out.
    """

    has_it: bool = False


_WIRE: ContextVar[_Wire] = ContextVar("wire")


class _Request(aiohttp.ClientRequest):
    """Says when there is a line for it, right before its first byte goes out."""

    async def send(self, conn: Any) -> aiohttp.ClientResponse:
        _WIRE.get().has_it = True
        return await super().send(conn)


class _Connector(aiohttp.TCPConnector):
    """Takes up no connection on which something came unasked: it would pass for the answer to the next request."""

    async def _get(self, *given: Any) -> Any:
        while (found := await super()._get(*given)) is not None and found.protocol and found.protocol.should_close:
            found.close()
        return found


def base_address(connection: Connection) -> str:
    """Where a REST target is: `schema://host:port`, `https` unless the connection says otherwise.

    Raises:
        Misconfigured: the connection names no host.
    """
    host = connection.host.rstrip("/")
    if not host:
        raise Misconfigured(f"Connection {connection.conn_id} has no host", fix="fill in host, port and schema")
    scheme, _, rest = host.rpartition("://")
    server, slash, path = rest.partition("/")
    port = f":{connection.port}" if connection.port else ""
    return f"{scheme or connection.schema or 'https'}://{server}{port}{slash}{path}"


def _without(body: bytes, secrets: Iterable[str]) -> bytes:
    """A reply that quotes our login: whatever becomes of it, the secret goes no further."""
    for secret in secrets:
        if len(secret) >= SHORTEST_SECRET and (words := secret.encode()) in body:
            body = body.replace(words, b"***")
    return body


def _plain(response: aiohttp.ClientResponse) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in response.headers.items():
        headers.setdefault(name.lower(), value)
    return headers


async def _capped(response: aiohttp.ClientResponse) -> bytes:
    parts, size = [], 0
    while part := await response.content.readany():
        size += len(part)
        if size > LARGEST_REPLY_BYTES:
            response.close()
            raise Lost(f"the reply is larger than {LARGEST_REPLY_BYTES} bytes (HTTP {response.status})")
        parts.append(part)
    return b"".join(parts)


def _failure(error: Exception, *, sent: bool) -> NotSent | Lost:
    text = f"{type(error).__name__} {'after' if sent else 'before'} the request was sent"
    return Lost(text) if sent else NotSent(text)
