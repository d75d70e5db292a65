"""Who calls, and what it may do. Airflow's own users in Airflow's API server; a file of callers when we run alone."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import json
import os
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from drbridge.errors import Misconfigured
from drbridge.ledger.database import home

CALLERS = "DRBRIDGE_INBOX_CALLERS"
REMEMBERED_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls.

    Attributes:
        name: as it signed in.
        user: what the port that admitted it knows of it.
    """

    name: str
    user: Any = None


class Callers(Protocol):
    """Tells who calls and what it may send; the inbox asks it before it reads anything."""

    async def who(self, authorization: str) -> Caller | None:
        """The caller behind an Authorization header, Basic or Bearer; None when nobody is."""
        ...

    async def may_send(self, caller: Caller, flow: str) -> bool:
        """Whether the caller may give this flow work."""
        ...


def basic_of(authorization: str) -> tuple[str, str] | None:
    """Name and password of a Basic header; None when it is none."""
    kind, _, word = authorization.partition(" ")
    if kind.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(word.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    return (name, password) if colon else None


class Remembered:
    """Who was behind a header lately, kept under a keyed hash: a password is not worked out at every call."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._known: dict[bytes, tuple[float, Caller]] = {}

    def get(self, authorization: str) -> Caller | None:
        """The caller, if it was admitted within the last minutes."""
        until, caller = self._known.get(self._hash(authorization), (0.0, None))
        return caller if until > time.monotonic() else None

    def keep(self, authorization: str, caller: Caller) -> None:
        """Remembers an admitted caller."""
        now = time.monotonic()
        self._known = {each: kept for each, kept in self._known.items() if kept[0] > now}
        self._known[self._hash(authorization)] = (now + REMEMBERED_SECONDS, caller)

    def _hash(self, authorization: str) -> bytes:
        return hmac.digest(self._key, authorization.encode(), "sha256")


class CallersInFile:
    """Callers by a file: a JSON object of name -> {"password": salted hash, "flows": ["*"] or names}.

    `drbridge inbox caller NAME` writes it.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file or Path(os.environ.get(CALLERS) or home() / "inbox_callers.json")
        self._remembered = Remembered()

    async def who(self, authorization: str) -> Caller | None:
        """The caller with this name and password."""
        if known := self._remembered.get(authorization):
            return known
        basic = basic_of(authorization)
        entry = self._entries().get(basic[0]) if basic else None
        if basic is None or entry is None:
            return None
        if not await asyncio.to_thread(_matches, basic[1], str(entry["password"])):
            return None
        caller = Caller(basic[0])
        self._remembered.keep(authorization, caller)
        return caller

    async def may_send(self, caller: Caller, flow: str) -> bool:
        """Whether the file names the flow for the caller, or all flows."""
        flows = self._entries().get(caller.name, {}).get("flows", ())
        return "*" in flows or flow in flows

    def add(self, name: str, password: str, flows: list[str]) -> None:
        """Adds a caller or gives it a new password."""
        entries = self._entries() | {name: {"password": _hashed(password, secrets.token_hex(16)), "flows": flows}}
        self._file.parent.mkdir(parents=True, exist_ok=True)
        draft = self._file.with_suffix(".draft")
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(entries, indent=1))
        draft.replace(self._file)

    def _entries(self) -> dict[str, dict[str, Any]]:
        try:
            entries: dict[str, dict[str, Any]] = json.loads(self._file.read_text())
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise Misconfigured(f"{self._file} is not JSON", fix="write it with `drbridge inbox caller`") from error
        return entries


def _hashed(password: str, salt: str) -> str:
    return f"{salt}${hashlib.scrypt(password.encode(), salt=salt.encode(), n=2**14, r=8, p=1).hex()}"


def _matches(password: str, kept: str) -> bool:
    return hmac.compare_digest(_hashed(password, kept.partition("$")[0]), kept)
