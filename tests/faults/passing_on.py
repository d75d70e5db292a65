"""A proxy before real object storage, on a thread of the test: what the proxies of the fault kit have in common."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from drbridge.ports import Connection

OF_THE_LINE = {"connection", "transfer-encoding", "content-length", "expect"}

Headers = list[tuple[str, str]]
Answer = tuple[int, Headers, bytes]
XML: Headers = [("Content-Type", "application/xml")]


def refusal(code: str, message: str = "no") -> bytes:
    """The body of a store's refusal."""
    return f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()


@contextmanager
def standing_before(store: Connection, handler: type[PassingOn]) -> Iterator[Connection]:
    """Runs the proxy; gives the connection that leads through it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    address = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield replace(store, extra={**store.extra, "endpoint_url": address})
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class PassingOn(BaseHTTPRequestHandler):
    """Takes a request whole, and answers what `replied` says."""

    protocol_version = "HTTP/1.1"

    def replied(self, body: bytes) -> Answer | None:
        """The answer to the request; None breaks the line without one."""
        raise NotImplementedError

    def _handle(self) -> None:
        answer = self.replied(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        if answer is None:
            self.close_connection = True
        else:
            self._answer(*answer)

    def asked(self, there: str, headers: Headers, body: bytes) -> Answer:
        """What the real store answers to the request with these headers."""
        upstream = http.client.HTTPConnection(there, timeout=60)
        try:
            upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in headers:
                if name.lower() not in OF_THE_LINE:
                    upstream.putheader(name, value)
            upstream.putheader("Content-Length", str(len(body)))
            upstream.endheaders(body)
            reply = upstream.getresponse()
            return reply.status, reply.getheaders(), reply.read()
        finally:
            upstream.close()

    def _answer(self, status: int, headers: Headers, body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in OF_THE_LINE:
                self.send_header(name, value)
        length = next((value for name, value in headers if name.lower() == "content-length"), str(len(body)))
        self.send_header("Content-Length", length if self.command == "HEAD" else str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _handle  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:
        pass
