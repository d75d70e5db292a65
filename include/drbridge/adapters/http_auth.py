"""Who we are at a REST target: Basic, or a token that is fetched, kept, and fetched anew in time."""

from __future__ import annotations

import asyncio
import json
import time
from base64 import b64encode
from collections.abc import Awaitable, Callable
from typing import Any, Protocol
from urllib.parse import quote_plus, urlencode

from drbridge.errors import Misconfigured
from drbridge.ports import Connection, Lost, NotSent, Reply

REFRESH_AT = 0.8
DEFAULT_LIFE_SECONDS = 3600.0

Fetch = Callable[[str, bytes, dict[str, str]], Awaitable[Reply]]
OnSecret = Callable[[str], None]


class Authority(Protocol):
    """Gives the value of the Authorization header."""

    async def header(self) -> str: ...

    async def refreshed(self, refused: str) -> str | None:
        """Another value after one was refused, or None where there is no other."""
        ...


class FixedHeader:
    """The same value always: Basic, or none."""

    def __init__(self, value: str) -> None:
        self._value = value

    async def header(self) -> str:
        return self._value

    async def refreshed(self, refused: str) -> str | None:
        return None


class ClientCredentials:
    """OAuth2 client credentials. Any number of calls may ask at once; one of them fetches.

    Extras of the connection: `token_path` (at the target) or `token_url` (elsewhere), `scope`, and
    `token_login` = `basic` (client id and secret in the header) or `post` (in the body).
    """

    def __init__(self, connection: Connection, base: str, fetch: Fetch, on_secret: OnSecret) -> None:
        self._connection, self._fetch, self._on_secret = connection, fetch, on_secret
        extra = connection.extra
        self._url = str(extra.get("token_url") or base + "/" + str(extra.get("token_path") or "").lstrip("/"))
        if not extra.get("token_url") and not extra.get("token_path"):
            raise self._misconfigured("does not say where tokens come from", "put token_path or token_url into")
        self._lock = asyncio.Lock()
        self._value = ""
        self._refresh_at = 0.0

    async def header(self) -> str:
        if time.monotonic() >= self._refresh_at:
            async with self._lock:
                if time.monotonic() >= self._refresh_at:
                    await self._renew()
        return self._value

    async def refreshed(self, refused: str) -> str | None:
        async with self._lock:
            if self._value == refused:
                await self._renew()
        return self._value

    async def _renew(self) -> None:
        asked_at = time.monotonic()
        try:
            reply = await self._fetch(self._url, *self._question())
        except Lost as error:
            raise NotSent(f"no token: {error}") from error
        if reply.status == 429 or reply.status >= 500:
            raise NotSent(f"no token: HTTP {reply.status}", reply)
        if reply.status != 200:
            raise self._misconfigured(f"gets no token: HTTP {reply.status}", "correct client id and secret in")
        token, life = self._read(reply.body)
        self._on_secret(token)
        self._value, self._refresh_at = f"Bearer {token}", asked_at + REFRESH_AT * life

    def _question(self) -> tuple[bytes, dict[str, str]]:
        form = {"grant_type": "client_credentials"}
        if scope := self._connection.extra.get("scope"):
            form["scope"] = str(scope)
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        login, secret = self._connection.login, self._connection.password
        if self._connection.extra.get("token_login") == "post":
            form |= {"client_id": login, "client_secret": secret}
        else:
            headers["Authorization"] = basic(quote_plus(login), quote_plus(secret))
        return urlencode(form).encode(), headers

    def _read(self, body: bytes) -> tuple[str, float]:
        try:
            answer: Any = json.loads(body)
            token, life = answer["access_token"], float(answer.get("expires_in") or DEFAULT_LIFE_SECONDS)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise self._misconfigured("gets an answer without a token", "correct token_path or token_url in") from None
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise self._misconfigured("gets a token that is none", "correct token_path or token_url in")
        return token, life

    def _misconfigured(self, what: str, fix: str) -> Misconfigured:
        conn_id = self._connection.conn_id
        return Misconfigured(f"Connection {conn_id} {what}", fix=f"{fix} connection {conn_id}")


def basic(login: str, password: str) -> str:
    """The header value of Basic authentication."""
    return "Basic " + b64encode(f"{login}:{password}".encode()).decode("ascii")
