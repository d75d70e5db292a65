"""A server that answers over HTTP with bytes of a test's own, and remembers how many requests reached it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from drbridge.ports import Connection

Piece = bytes | float
"""Bytes that it sends, or seconds that it waits."""


def answer(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> bytes:
    """A whole answer in good order."""
    lines = (b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), *headers, b"", body)
    return b"\r\n".join(lines)


@dataclass
class RawServer:
    """What it heard, and how to reach it.

    Attributes:
        requests: the first line of each request that reached it.
    """

    port: int
    requests: list[bytes] = field(default_factory=list)

    @property
    def connection(self) -> Connection:
        return Connection("raw", "http", "127.0.0.1", self.port, schema="http")


@contextmanager
def answering(*answers: Sequence[Piece]) -> Iterator[RawServer]:
    """Serves until the block ends; the requests of each connection get these answers, one after the other."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        server, threads = RawServer(listener.getsockname()[1]), list[threading.Thread]()

        def listen() -> None:
            with suppress(OSError):
                while True:
                    line, _ = listener.accept()
                    threads.append(threading.Thread(target=_serve, args=(line, server, answers)))
                    threads[-1].start()

        threads.append(threading.Thread(target=listen))
        threads[0].start()
        yield server
        listener.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join()


def _serve(line: socket.socket, server: RawServer, answers: Sequence[Sequence[Piece]]) -> None:
    with line, suppress(OSError):
        for pieces in answers:
            if not (head := _request(line)):
                return
            server.requests.append(head)
            for piece in pieces:
                if isinstance(piece, float):
                    time.sleep(piece)
                else:
                    line.sendall(piece)
        while line.recv(65_536):
            pass


def _request(line: socket.socket) -> bytes:
    """Reads one request with a JSON object as its body; returns its first line."""
    got = b""
    while not got.endswith(b"}"):
        if not (chunk := line.recv(65_536)):
            return b""
        got += chunk
    return got.partition(b"\r\n")[0]
