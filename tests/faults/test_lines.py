"""Lines that break, hang or never come about: what our stores and flows make of them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from drbridge.adapters.s3 import S3Store
from drbridge.errors import Unreachable
from drbridge.ports import Connection

LISTING = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: 158\r\n\r\n"
    b"<ListBucketResult><Contents><Key>prefix/a.csv</Key><Size>1</Size><LastModified>2026-07-14T12:00:00Z</LastModified>"
    b"<ETag>x</ETag></Contents></ListBucketResult>"
)
HEAD = (
    b'HTTP/1.1 200 OK\r\nETag: "0123456789abcdef0123456789abcdef"\r\nLast-Modified: Tue, 14 Jul 2026 12:00:00 GMT\r\n'
    b"Content-Length: 150480\r\n\r\n"
)


@contextmanager
def saying(answer: bytes) -> Iterator[Connection]:
    """An object store that says the same to every request, and hangs up."""

    def serve() -> None:
        while True:
            try:
                taken, _ = listener.accept()
            except OSError:
                return
            with taken:
                taken.recv(65_536)
                taken.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            yield Connection("cut", "aws", login="a", password="b", extra={"endpoint_url": url})
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def test_a_listing_that_came_whole_is_believed() -> None:
    with saying(LISTING) as connection:
        assert [entry.name for entry in S3Store(connection, "bucket", "prefix").list()] == ["a.csv"]


@pytest.mark.parametrize("after", [b"OK\r\n", b"xml\r\n", b"Length: 1", b"158\r\n", b"\r\n\r\n", b"<Contents>"])
def test_a_listing_that_was_cut_is_not_an_empty_bucket(after: bytes) -> None:
    with saying(LISTING[: LISTING.index(after) + len(after)]) as connection, pytest.raises(Unreachable):
        S3Store(connection, "bucket", "prefix").list()


@pytest.mark.parametrize("after", [b"OK\r\n", b'ETag: "0123', b"GMT\r\n", b"Length: 15", b"150480\r\n"])
def test_an_object_whose_description_was_cut_is_not_another_object(after: bytes) -> None:
    with saying(HEAD[: HEAD.index(after) + len(after)]) as connection, pytest.raises(Unreachable):
        S3Store(connection, "bucket", "prefix").stat("a.csv")
