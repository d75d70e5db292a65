"""The whole sandbox: content servers, object storage and REST services of DACS, DERMS, OUAI and CIS, all started."""

from __future__ import annotations

import json
import os
import random
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from botocore.exceptions import ClientError

from drbridge_sandbox.children import Child, is_free
from drbridge_sandbox.content_server import ContentServer
from drbridge_sandbox.far import Far
from drbridge_sandbox.object_store import ObjectStore
from drbridge_sandbox.pidbook import PidBook
from drbridge_sandbox.places import FOLDERS, BucketPlace, FolderPlace, Place
from drbridge_sandbox.rest.auth import Scheme

SYSTEMS = ("dacs", "derms", "ouai", "cis")
HEALTH = {"ccs": "/rest/apis/common/healthCheck", "dacs": "/rest/apis/common/healthCheck", "derms": "/health"}
READY = ("sandbox", "state")
PORTS = 20
CONTROL, DACS_REST, DERMS_REST, FIRST_FILES, CCS_REST, OBJECTS = 0, 1, 2, 3, 7, 10


class Sandbox:
    """The other systems, on 127.0.0.1.

    They keep what they know under `root`: a second start over it, even after a crash, goes on where it ended.
    Start it from a thread that stays; the servers end with that thread.

    Args:
        root: where everything lies.
        port_base: first of 20 ports; None: ports that are free.
        openssh: True for OpenSSH, False for asyncssh, None for OpenSSH where it is installed.
        derms_auth: how the DERMS lets callers in.
    """

    def __init__(
        self, root: Path, *, port_base: int | None = None, openssh: bool | None = None, derms_auth: Scheme = "oauth2"
    ) -> None:
        self.root = root.absolute()
        self.port_base = free_block() if port_base is None else port_base
        self.root.mkdir(parents=True, exist_ok=True)
        self.servers = {
            system: ContentServer(
                self.root / "files" / system, self.port_base + FIRST_FILES + number, system, f"{system}-password",
                openssh=openssh,
            )
            for number, system in enumerate(SYSTEMS)
        }  # fmt: skip
        self.objects = ObjectStore(self.root / "objects", self.port_base + OBJECTS, "sandbox", "sandbox-secret")
        self.services: dict[str, dict[str, Any]] = {
            "dacs": {"port": self.port_base + DACS_REST, "login": "drbridge", "password": "dacs-password",
                     "auth": "basic"},
            "derms": {"port": self.port_base + DERMS_REST, "login": "drbridge", "password": "derms-secret",
                      "auth": derms_auth},
            "ccs": {"port": self.port_base + CCS_REST, "login": "drbridge", "password": "ccs-password",
                    "auth": "basic"},
        }  # fmt: skip
        self._pids = PidBook(self.root / "pids.json")
        self._rest: Child | None = None
        self._s3: Any = None

    def start(self) -> Self:
        """Starts everything and returns when all of it answers.

        Raises:
            DidNotStart: a server does not; the reason is in the text.
        """
        self._pids.end_those_left()
        try:
            self.start_rest(wait=False)
            for system, server in self.servers.items():
                for folder in FOLDERS[system]:
                    (server.root / folder).mkdir(parents=True, exist_ok=True)
                server.start()
            self.objects.start()
            self._s3 = self.objects.client()
            for bucket in (*SYSTEMS, READY[0]):
                self.objects.create_bucket(bucket)
            self._wait_for_objects()
            self._wait_for_rest()
        except BaseException:
            self.stop()
            raise
        self._note_pids()
        return self

    def stop(self) -> None:
        """Ends everything; what it knows stays under `root`."""
        self.stop_rest()
        for server in self.servers.values():
            server.stop()
        if self._s3 is not None:
            self._s3.close()
            self._s3 = None
        self.objects.stop()
        self._pids.end_those_left()

    def start_rest(self, wait: bool = True) -> None:
        """Starts the process of the REST services alone."""
        temporary = self.root / "rest" / "tmp"
        temporary.mkdir(parents=True, exist_ok=True)
        settings = {
            "root": str(temporary.parent), "temporary": str(temporary), "services": self.services,
            "control_port": self.port_base + CONTROL,
        }  # fmt: skip
        path = temporary.parent / "settings.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps(settings))
        for left in temporary.iterdir():
            left.unlink()
        include = str(Path(__file__).resolve().parents[1])
        env = {"PYTHONPATH": os.pathsep.join(filter(None, (include, os.environ.get("PYTHONPATH"))))}
        self._rest = Child([sys.executable, "-m", "drbridge_sandbox.rest", str(path)], self.root / "rest.log", env)
        self._note_pids()
        if wait:
            self._wait_for_rest()

    def stop_rest(self, patience: float = 5.0) -> None:
        """Ends the process of the REST services; 0 seconds of patience is a power cut."""
        if self._rest is not None:
            self._rest.stop(patience)
            self._rest = None

    def _wait_for_rest(self) -> None:
        assert self._rest is not None
        self._rest.wait_until_open(self.port_base + CONTROL)

    def _wait_for_objects(self, seconds: float = 30.0) -> None:
        """Storage that was cut off answers before it finds again what it holds: reads one object until it does."""
        place, end = BucketPlace(self._s3, *READY), time.monotonic() + seconds
        while True:
            try:
                if not place.names():
                    place.drop("ready", b"ready")
                b"".join(place.read("ready"))
                return
            except ClientError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)

    def _note_pids(self) -> None:
        children = [self._rest, self.objects._child, *(server._child for server in self.servers.values())]
        self._pids.note([child.pid for child in children if child is not None])

    def connections(self) -> dict[str, dict[str, Any]]:
        """How to reach everything: connection id to the JSON form of an Airflow connection."""
        found: dict[str, dict[str, Any]] = {}
        for system in SYSTEMS:
            found[f"{system}_files"] = dict(self.servers[system].connection())
            found[f"{system}_objects"] = dict(self.objects.connection())
        for system, service in self.services.items():
            extra = {"auth": service["auth"], "health_path": HEALTH[system]}
            if service["auth"] == "oauth2":
                extra |= {"token_path": "/oauth/token", "scope": "drbridge"}
            found[f"{system}_rest"] = {
                "conn_type": "http", "schema": "http", "host": "127.0.0.1", "port": service["port"],
                "login": service["login"], "password": service["password"], "extra": extra,
            }  # fmt: skip
        return found

    def env(self) -> dict[str, str]:
        """The connections as Airflow reads them from the environment."""
        return {f"AIRFLOW_CONN_{name.upper()}": json.dumps(each) for name, each in self.connections().items()}

    def far(self, system: str) -> Far:
        """The control API of a REST service: dacs, derms or ccs."""
        return Far(system, self.port_base + CONTROL)

    def down(self, conn_id: str) -> None:
        """Makes what is behind a connection refuse connections; the object storage is one for all systems."""
        system, _, kind = conn_id.partition("_")
        if kind == "rest":
            self.far(system).down()
        elif kind == "files":
            self.servers[system].stop()
        else:
            self.objects.kill()

    def up(self, conn_id: str) -> None:
        """Brings it back, with everything it held."""
        system, _, kind = conn_id.partition("_")
        if kind == "rest":
            self.far(system).up()
        elif kind == "files":
            self.servers[system].start()
        else:
            self.objects.start()
            self._wait_for_objects()
        self._note_pids()

    def place(self, url: str) -> Place:
        """A folder or prefix as its owner sees it: `sftp://dacs_files/outgoing/scores`, `s3://ouai_objects/ouai/...`."""
        scheme, _, rest = url.partition("://")
        conn_id, _, path = rest.partition("/")
        if scheme == "sftp":
            return FolderPlace(self.servers[conn_id.removesuffix("_files")].root / path)
        bucket, _, prefix = path.partition("/")
        return BucketPlace(self._s3, bucket, prefix)

    def drop(self, url: str, name: str, data: bytes | Path | Iterable[bytes], mtime: float | None = None) -> None:
        """Puts a file there as its owner would: nobody sees it before it is whole."""
        self.place(url).drop(name, data, mtime)

    def files(self, url: str) -> dict[str, bytes]:
        """All files there, by name, without those in folders below."""
        place = self.place(url)
        return {name: b"".join(place.read(name)) for name in place.names()}

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def free_block() -> int:
    """First of 20 free ports in a row, outside the range that the kernel gives to outgoing connections."""
    for _ in range(200):
        base = random.randrange(20_000, 32_000, PORTS)
        if all(is_free(base + step) for step in range(PORTS)):
            return base
    raise RuntimeError("no twenty free ports in a row were found")
