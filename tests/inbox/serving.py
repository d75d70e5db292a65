"""The inbox, really served, and what tests do with it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI
from sqlalchemy import func, select, update

from drbridge.adapters.outside import ConnectionsOutside, environment_connection
from drbridge.contracts import MESSAGES
from drbridge.exchange.desk import Desk
from drbridge.exchange.staging import Staging
from drbridge.inbox.alone import both
from drbridge.inbox.callers import CallersInFile
from drbridge.inbox.paths import DOORS, PUBLISHED_PREFIX, SHORT_PREFIX, Door
from drbridge.inbox.reading import Limits
from drbridge.ledger import deliveries
from drbridge.ledger.database import Ledger
from drbridge.ledger.states import ParcelState
from drbridge.ledger.tables import deliveries as deliveries_table
from drbridge.ledger.tables import messages, parcels
from drbridge.systems import DEFAULT_FILE, Flow, Systems, load
from drbridge_sandbox.children import free_ports
from tests.unit.contracts.messages import SAMPLES, sample

DERMS = ("derms", "a password")
NARROW = ("narrow", "another password")
"""May give work to the flow of opt-outs only."""
STATUS = f"{SHORT_PREFIX}/event-statuses"
OUTCOME = f"{SHORT_PREFIX}/event-outcomes"
OUTCOME_FILE = SAMPLES.parent / "event_outcome" / "EVENT_OUTCOME_20260714T210000Z_4711.csv"
JSON_DOORS = [door for door in DOORS if door.shape == "json"]


@dataclass
class Inbox:
    """A served inbox, with a client that is signed in."""

    url: str
    client: httpx.Client
    ledger: Ledger
    staging: Path

    def post(self, path: str, data: Any, **headers: str) -> httpx.Response:
        content = data if isinstance(data, bytes) else json.dumps(data).encode()
        return self.client.post(path, content=content, headers={"Content-Type": "application/json"} | headers)

    def post_file(self, path: str, name: str, content: bytes, message: Any = None, **headers: str) -> httpx.Response:
        parts = {} if message is None else {"message": json.dumps(message)}
        return self.client.post(path, files={"file": (name, content)}, data=parts, headers=headers)

    def raw(self, *pieces: bytes, pause: float = 0.0) -> bytes:
        """Sends bytes as they are, piece by piece, and reads until the server hangs up or says no more for a while."""
        host, port = self.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=10) as line:
            for piece in pieces:
                with suppress(BrokenPipeError, ConnectionResetError):
                    line.sendall(piece)
                time.sleep(pause)
            line.settimeout(1.5)
            got = b""
            try:
                while chunk := line.recv(65536):
                    got += chunk
            except (TimeoutError, ConnectionResetError):
                pass
            return got

    def count(self, table: Any) -> int:
        with self.ledger.read() as tx:
            return int(tx.execute(select(func.count()).select_from(table)).scalar_one())

    def posted_files(self) -> dict[str, bytes]:
        """Every file of the inbox, hidden ones too."""
        return {path.name: path.read_bytes() for path in (self.staging / "inbox").rglob("*") if path.is_file()}

    def settle(self) -> None:
        """As if everything had been sent, and taken."""
        with self.ledger.write() as tx:
            tx.execute(update(parcels).values(state=ParcelState.ACKED.value, ended_at=1.0, reply="taken"))
            deliveries.settle(tx, list(tx.execute(select(deliveries_table.c.id)).scalars()))

    def digests(self) -> list[str]:
        with self.ledger.read() as tx:
            return list(tx.execute(select(messages.c.number)).scalars())


@lru_cache(maxsize=1)
def systems() -> Systems:
    """As shipped, and a flow for every message that has none yet."""
    shipped = load(DEFAULT_FILE)
    taken = {flow.message for flow in shipped.flows.values()}
    more = {f"test_{noun}": _flow(noun) for noun in MESSAGES if noun not in taken}
    return shipped.model_copy(update={"flows": {**shipped.flows, **more}})


def _flow(noun: str) -> Flow:
    return Flow.model_validate({
        "name": f"test_{noun}", "title": noun, "process": "enrollment", "profiles": {"23C"}, "message": noun,
        "deliver": ["dacs_sync_request"],
    })  # fmt: skip


def desk_of(ledger: Ledger, folder: Path, known: Systems | None = None) -> Desk:
    staging = Staging((folder / "staging").as_uri())
    outside = ConnectionsOutside(environment_connection, inbox=staging.inbox)
    return Desk(known or systems(), ledger, staging, outside)


def callers_in(folder: Path) -> CallersInFile:
    file = folder / "callers.json"
    callers = CallersInFile(file)
    if not file.exists():
        callers.add(*DERMS, ["*"])
        callers.add(*NARROW, ["test_event_opt_out", "dacs_derms_event_opt_out"])
    return callers


@contextmanager
def served(desk: Desk, folder: Path, limits: Limits | None = None) -> Iterator[Inbox]:
    """Both apps under their prefixes, as everywhere."""
    root = both(lambda: desk, callers_in(folder), limits)
    with listening(root) as url, signed_in(url) as client:
        yield Inbox(url, client, desk.ledger, desk.staging.root)


def signed_in(url: str, who: tuple[str, str] = DERMS) -> httpx.Client:
    return httpx.Client(base_url=url, auth=who, timeout=70, trust_env=False)


@contextmanager
def listening(app: FastAPI) -> Iterator[str]:
    """Serves an app by uvicorn on a free port."""
    (port,) = free_ports(1)
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error", ws="none", lifespan="off")
    )
    thread = Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    server.force_exit = True
    thread.join()


@dataclass
class Process:
    """An inbox in a process of its own, that can be killed and started again."""

    folder: Path
    dies: str = ""

    def __post_init__(self) -> None:
        callers_in(self.folder)
        (self.port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{self.port}"
        self.ledger = Ledger(f"sqlite:///{self.folder / 'ledger.db'}")
        env: Mapping[str, str] = {
            **os.environ, "DRBRIDGE_LEDGER_URL": self.ledger.url, "DRBRIDGE_HOME": str(self.folder),
            "DRBRIDGE_STAGING": (self.folder / "staging").as_uri(),
            "DRBRIDGE_INBOX_CALLERS": str(self.folder / "callers.json"),
        }  # fmt: skip
        command = [sys.executable, "-m", "tests.inbox.killed", str(self.port), self.dies]
        self.child = subprocess.Popen(command, env=env, cwd=Path(__file__).parents[2])

    def __enter__(self) -> Inbox:
        end = time.monotonic() + 60
        with httpx.Client(trust_env=False) as client:
            while True:
                assert self.child.poll() is None
                assert time.monotonic() < end
                try:
                    if client.get(f"{self.url}{SHORT_PREFIX}/health").status_code == 200:
                        break
                except httpx.TransportError:
                    time.sleep(0.1)
        self.client = signed_in(self.url)
        return Inbox(self.url, self.client, self.ledger, self.folder / "staging")

    def kill(self) -> None:
        self.child.send_signal(signal.SIGKILL)
        self.child.wait()

    def resident_bytes(self) -> int:
        status = Path(f"/proc/{self.child.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) * 1024

    def __exit__(self, *_: object) -> None:
        self.kill()
        self.client.close()
        self.ledger.close()


def path_of(door: Door, published: bool) -> str:
    return f"{PUBLISHED_PREFIX}/{door.published}" if published else f"{SHORT_PREFIX}/{door.short}"


def status(number: str = "ST-1", **changes: Any) -> Any:
    return {**sample("event_status"), "messageId": number, **changes}
