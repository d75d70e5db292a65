"""Object storage without conditional writes: both kinds that are met in the field, before the sandbox's real store.

`ignores`: the store does not know the headers, and overwrites. `refuses`: it answers 501 to every write with one.
"""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import urlsplit

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from drbridge.ports import Connection

Kind = Literal["ignores", "refuses"]
CONDITIONS = ("if-none-match", "if-match")
NOT_KNOWN = b"<?xml version='1.0'?><Error><Code>NotImplemented</Code><Message>no conditions</Message></Error>"
NOT_PASSED_ON = {*CONDITIONS, "authorization", "connection", "content-length", "x-amz-date", "expect"}


@dataclass
class PlainStore:
    """The proxy before a store.

    Attributes:
        connection: to the proxy.
        before_write: called with method and path right before a write is passed on: a worker may be held up there.
        dropped: writes that came with a condition.
    """

    kind: Kind
    connection: Connection
    before_write: Callable[[str, str], None] = lambda method, path: None
    dropped: list[str] = field(default_factory=list)


@contextmanager
def serving(real: Connection, kind: Kind) -> Iterator[PlainStore]:
    """Runs such a store before the one behind the connection."""
    store = PlainStore(kind, real)
    handler = type("Handler", (_Handler,), {"store": store, "real": real})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    store.connection = replace(
        real, extra={**real.extra, "endpoint_url": f"http://127.0.0.1:{server.server_address[1]}"}
    )
    try:
        yield store
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    """Passes a request on, signed anew: the signature it came with covers the condition, too."""

    store: PlainStore
    real: Connection
    protocol_version = "HTTP/1.1"

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.command in ("PUT", "POST"):
            conditional = any(name in self.headers for name in CONDITIONS)
            if conditional:
                self.store.dropped.append(self.path)
            if conditional and self.store.kind == "refuses":
                return self._answer(501, [("Content-Type", "application/xml")], NOT_KNOWN)
            self.store.before_write(self.command, self.path)
        return self._answer(*self._asked(body))

    def _asked(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        there = urlsplit(str(self.real.extra["endpoint_url"]))
        kept = {name: value for name, value in self.headers.items() if name.lower() not in NOT_PASSED_ON | {"host"}}
        request = AWSRequest(self.command, f"{there.scheme}://{there.netloc}{self.path}", data=body, headers=kept)
        S3SigV4Auth(Credentials(self.real.login, self.real.password), "s3", "us-east-1").add_auth(request)
        upstream = http.client.HTTPConnection(there.netloc, timeout=60)
        try:
            headers = {**dict(request.headers.items()), "Content-Length": str(len(body))}
            upstream.request(self.command, self.path, body, headers)
            reply = upstream.getresponse()
            return reply.status, reply.getheaders(), reply.read()
        finally:
            upstream.close()

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                self.send_header(name, value)
        length = next((value for name, value in headers if name.lower() == "content-length"), str(len(body)))
        self.send_header("Content-Length", length if self.command == "HEAD" else str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _pass_on  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:
        pass
