"""Looks whether everything that systems.toml names can be worked with: logs in, lists, writes, asks.

What is written is a hidden file of one byte, taken away at once: every folder that we read from we also rename in.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from hashlib import sha256

from drbridge import loop
from drbridge.adapters.http import base_address
from drbridge.adapters.names import hidden_name
from drbridge.adapters.outside import ConnectionsOutside
from drbridge.adapters.s3 import S3Store
from drbridge.adapters.sftp_session import check_login
from drbridge.errors import DrBridgeError
from drbridge.ports import Call, Connection, FileStore, Lost, NotSent, Reply
from drbridge.systems import Store, Systems

LOGIN = "login"
LONGEST_VERSION = 40


@dataclass(frozen=True)
class Seen:
    """What was found at one place behind a connection.

    Attributes:
        who: the login, and where it logs in.
        place: a folder, a bucket prefix, the path that a REST side was asked for, or the login itself.
        good: whether it can be worked with.
        text: what was seen, or what is wrong.
        fix: the next step when something is wrong.
        version: of the other side, where it tells it when asked for its health.
        seconds: how long it took to look.
    """

    connection: str
    who: str
    place: str
    good: bool
    text: str
    fix: str = ""
    version: str = ""
    seconds: float = 0.0

    def __str__(self) -> str:
        version = f", version {self.version}" if self.version else ""
        good = "good" if self.good else "WRONG"
        return f"{good}: {self.connection} {self.place} as {self.who}: {self.text}{version} ({self.seconds:.2f} s)"


def look_at_all(systems: Systems, get_connection: Callable[[str], Connection]) -> Iterator[Seen]:
    """Looks at every place that a switched-on flow reads from or delivers to, connection by connection."""
    for conn_id, places in sorted(places_of(systems).items()):
        try:
            connection = get_connection(conn_id)
        except DrBridgeError as error:
            yield _bad(conn_id, "", LOGIN, error)
        else:
            yield from look_at(connection, places, used)


def places_of(systems: Systems) -> dict[str, list[str]]:
    """The connections in use, each with its addresses of folders and prefixes; a REST side has none."""
    found: dict[str, list[str]] = {}
    for flow in filter(systems.is_on, systems.flows.values()):
        names = flow.destinations
        destinations = [systems.destination(name) for name in names]
        for url in (*flow.places, *(each.url for each in destinations if isinstance(each, Store))):
            known = found.setdefault(url.split("/")[2], [])
            known += [url] if url not in known else []
        for each in destinations:
            found.setdefault(each.connection, [])
    return found


def listed(store: FileStore) -> str:
    """Lists a place; says what was seen."""
    return f"{len(store.list())} files"


def used(store: FileStore) -> str:
    """Lists a place, and lays a hidden file down there that is taken away again."""
    seen, name, content = listed(store), hidden_name("check"), b"1"
    with store.upload(name, len(content)) as upload:
        upload.write(content)
        upload.complete(sha256(content).hexdigest())
    store.remove(name)
    return f"{seen}; can be written to{_remark(store)}"


def _remark(store: FileStore) -> str:
    """What a person should know of a store that does not refuse to overwrite when asked not to."""
    if not isinstance(store, S3Store) or store.honours_conditions():
        return ""
    return "; knows no conditional writes: let nobody but us write files there"


def look_at(connection: Connection, places: Sequence[str], look: Callable[[FileStore], str] = listed) -> Iterator[Seen]:
    """Looks at the places behind one connection; a REST side has none and is asked for its health path."""
    who, began = _who(connection), time.monotonic()
    if connection.conn_type in ("sftp", "ssh"):
        try:
            loop.run(check_login(connection))
        except DrBridgeError as error:
            # One try: another for each folder could lock the account.
            yield _bad(connection.conn_id, who, LOGIN, error)
            return
    outside = ConnectionsOutside(lambda _: connection)
    for url in places:
        try:
            with closing(outside.store(url)) as store:
                seen = Seen(connection.conn_id, who, url, True, look(store))
        except DrBridgeError as error:
            seen = _bad(connection.conn_id, who, url, error)
        began = yield from _timed(seen, began)
    if not places:
        yield from _timed(_ask(connection, who, outside), began)


def _timed(seen: Seen, began: float) -> Generator[Seen, None, float]:
    """What was seen with how long it took; returns when the next look begins."""
    now = time.monotonic()
    yield replace(seen, seconds=round(now - began, 3))
    return time.monotonic()


def _ask(connection: Connection, who: str, outside: ConnectionsOutside) -> Seen:
    """Asks a REST side for the path in the extra `health_path` (default `/`); with OAuth2 a token is fetched first."""
    path = str(connection.extra.get("health_path") or "/")

    async def ask() -> Reply:
        target = outside.target(connection.conn_id)
        try:
            return await target.call(Call("GET", path, key=""))
        finally:
            await target.close()

    conn_id = connection.conn_id
    try:
        reply = loop.run(ask())
    except DrBridgeError as error:
        return _bad(conn_id, who, path, error)
    except (NotSent, Lost) as error:
        return Seen(conn_id, who, path, False, f"no answer: {error}", f"check host, port and schema of {conn_id}")
    status = reply.status
    if status in (401, 403):
        return Seen(
            conn_id, who, path, False, f"HTTP {status}: our login is refused", f"correct the login of {conn_id}"
        )
    if 300 <= status < 400:
        return Seen(conn_id, who, path, False, f"HTTP {status}: it is elsewhere", f"correct the address in {conn_id}")
    if status >= 500:
        return Seen(conn_id, who, path, False, f"HTTP {status}: it is in trouble", "call its owner")
    return Seen(conn_id, who, path, True, f"answers (HTTP {status})", version=_version(reply.body))


def _version(body: bytes) -> str:
    """The release that a health check names, if it names one."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    version = told.get("version") if isinstance(told, dict) else None
    return str(version)[:LONGEST_VERSION] if isinstance(version, str | int | float) else ""


def _who(connection: Connection) -> str:
    if connection.conn_type == "http" and connection.host:
        where = base_address(connection)
    elif endpoint := connection.extra.get("endpoint_url"):
        where = str(endpoint)
    else:
        where = f"{connection.host}:{connection.port}" if connection.port else connection.host
    return f"{connection.login or 'nobody'} at {where}"


def _bad(conn_id: str, who: str, place: str, error: DrBridgeError) -> Seen:
    text = f"{error.what} ({error.detail})" if error.detail else error.what
    return Seen(conn_id, who, place, False, text, error.fix)
