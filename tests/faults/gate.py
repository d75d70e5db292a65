"""A gate before real object storage: it counts what goes in, and lets not everything through."""

from __future__ import annotations

import http.client
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from drbridge.ports import Connection

OF_THE_LINE = {"connection", "transfer-encoding", "content-length", "expect"}
PART = re.compile(r"partNumber=(\d+)")


@dataclass(frozen=True)
class Refusal:
    """What the gate says in the store's stead.

    Attributes:
        status: 0 breaks the line without an answer.
    """

    status: int
    code: str = ""

    @property
    def body(self) -> bytes:
        return f"<?xml version='1.0'?><Error><Code>{self.code}</Code><Message>no</Message></Error>".encode()


Rule = Callable[[str, str, Mapping[str, str]], Refusal | None]


def open_to_all(_method: str, _path: str, _headers: Mapping[str, str]) -> Refusal | None:
    return None


@dataclass
class Gate:
    """The gate.

    Attributes:
        connection: leads through it.
        rule: told method, path and headers of each request; what it refuses does not go through.
        parts: numbers of the parts that went in.
    """

    connection: Connection
    rule: Rule = open_to_all
    parts: list[int] = field(default_factory=list)


def part_of(method: str, path: str) -> int:
    """The number of the part that a request brings; 0: it brings none."""
    found = PART.search(path)
    return int(found[1]) if found and method == "PUT" else 0


@contextmanager
def before(store: Connection) -> Iterator[Gate]:
    """Puts a gate before the store behind a connection."""
    gate = Gate(store)
    there = urlsplit(str(store.extra["endpoint_url"])).netloc
    handler = type("GateHandler", (_Handler,), {"gate": gate, "there": there})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    address = f"http://127.0.0.1:{server.server_address[1]}"
    gate.connection = replace(store, extra={**store.extra, "endpoint_url": address})
    try:
        yield gate
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    """Passes a request on as it came: its signature covers the host that the client called."""

    gate: Gate
    there: str
    protocol_version = "HTTP/1.1"

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        refusal = self.gate.rule(self.command, self.path, self.headers)
        if refusal is None:
            if part := part_of(self.command, self.path):
                self.gate.parts.append(part)
            self._answer(*self._asked(body))
        elif refusal.status:
            self._answer(refusal.status, [("Content-Type", "application/xml")], refusal.body)
        else:
            self.close_connection = True

    def _asked(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        upstream = http.client.HTTPConnection(self.there, timeout=60)
        try:
            upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in OF_THE_LINE:
                    upstream.putheader(name, value)
            upstream.putheader("Content-Length", str(len(body)))
            upstream.endheaders(body)
            reply = upstream.getresponse()
            return reply.status, reply.getheaders(), reply.read()
        finally:
            upstream.close()

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in OF_THE_LINE:
                self.send_header(name, value)
        length = next((value for name, value in headers if name.lower() == "content-length"), str(len(body)))
        self.send_header("Content-Length", length if self.command == "HEAD" else str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _pass_on  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:
        pass
