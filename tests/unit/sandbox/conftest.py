"""One sandbox for all tests of the sandbox; each test begins with services that know nothing."""

from __future__ import annotations

import base64
import http.client
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from drbridge_sandbox.far import Far
from drbridge_sandbox.sandbox import Sandbox


@dataclass(frozen=True)
class Said:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def detail(self) -> str:
        return str(self.json["problemDetailDocument"]["detail"])


class Caller:
    """A plain HTTP client of one service, on a new connection each time."""

    def __init__(self, box: Sandbox, system: str) -> None:
        self.settings = box.connections()[f"{system}_rest"]
        self.token: str | None = None

    def call(self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Said:
        connection = http.client.HTTPConnection("127.0.0.1", self.settings["port"], timeout=10)
        try:
            connection.request(method, path, body, headers or {})
            reply = connection.getresponse()
            return Said(reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read())
        finally:
            connection.close()

    def json(self, method: str, path: str, body: object, key: str | None = None) -> Said:
        headers = self.authorized() | {"Content-Type": "application/json"}
        if key:
            headers["Idempotency-Key"] = key
        return self.call(method, path, json.dumps(body).encode(), headers)

    def file(self, path: str, name: str, content: bytes, key: str | None = None, part: str = "file") -> Said:
        line = uuid.uuid4().hex
        head = f'--{line}\r\nContent-Disposition: form-data; name="{part}"; filename="{name}"\r\n'
        body = head.encode() + b"Content-Type: text/csv\r\n\r\n" + content + f"\r\n--{line}--\r\n".encode()
        headers = self.authorized() | {"Content-Type": f"multipart/form-data; boundary={line}"}
        if key:
            headers["Idempotency-Key"] = key
        return self.call("POST", path, body, headers)

    def authorized(self) -> dict[str, str]:
        if self.settings["extra"]["auth"] == "basic":
            return {"Authorization": f"Basic {self.encoded()}"}
        if self.token is None:
            self.token = self.ask_token().json["access_token"]
        return {"Authorization": f"Bearer {self.token}"}

    def ask_token(self) -> Said:
        headers = {
            "Authorization": f"Basic {self.encoded()}", "Content-Type": "application/x-www-form-urlencoded",
        }  # fmt: skip
        return self.call("POST", "/oauth/token", b"grant_type=client_credentials&scope=drbridge", headers)

    def encoded(self) -> str:
        return base64.b64encode(f"{self.settings['login']}:{self.settings['password']}".encode()).decode()


@pytest.fixture(scope="session")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with Sandbox(tmp_path_factory.mktemp("sandbox")) as box:
        yield box


@pytest.fixture
def box(started: Sandbox) -> Sandbox:
    for system in started.services:
        started.far(system).reset()
        started.far(system).token_lifetime(3600)
    return started


@pytest.fixture
def dacs(box: Sandbox) -> Caller:
    return Caller(box, "dacs")


@pytest.fixture
def derms(box: Sandbox) -> Caller:
    return Caller(box, "derms")


@pytest.fixture
def far_dacs(box: Sandbox) -> Far:
    return box.far("dacs")


@pytest.fixture
def far_derms(box: Sandbox) -> Far:
    return box.far("derms")


@pytest.fixture
def ccs(box: Sandbox) -> Caller:
    return Caller(box, "ccs")


@pytest.fixture
def far_ccs(box: Sandbox) -> Far:
    return box.far("ccs")
