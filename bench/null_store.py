"""An object store that reads and discards: what a relay costs is then the relay's, not the store's.

    python bench/null_store.py 9000

Speaks as much S3 as an upload needs (one object at once or in parts, HEAD, DELETE, empty lists), remembers names and
sizes and forgets the bytes. It checks no signature and answers with tags that are no hashes.
"""

from __future__ import annotations

import socket
import sys
import threading
from contextlib import suppress
from itertools import count
from urllib.parse import parse_qs, unquote, urlsplit

BUFFER_BYTES = 1 << 20
HEAD_ENDS = b"\r\n\r\n"
XML = '<?xml version="1.0" encoding="UTF-8"?>'


class NullStore:
    """The store's memory: sizes by key, and by upload and part."""

    def __init__(self) -> None:
        self.sizes: dict[str, int] = {}
        self.parts: dict[str, dict[str, int]] = {}
        self.numbers = count(1)

    def answer(self, method: str, key: str, query: dict[str, list[str]], size: int) -> tuple[int, str, dict[str, str]]:
        """Status, body and headers of the answer to a request whose body of so many bytes is gone."""
        upload = query.get("uploadId", [""])[0]
        match method:
            case "POST" if "uploads" in query:
                return self._begun(key)
            case "POST" if upload:
                self.sizes[key] = sum(self.parts.pop(upload).values())
                return (
                    200,
                    f"{XML}<CompleteMultipartUploadResult><ETag>{_tag()}</ETag></CompleteMultipartUploadResult>",
                    {},
                )
            case "PUT" if upload:
                self.parts[upload][query["partNumber"][0]] = size
                return 200, "", {"ETag": _tag()}
            case "PUT":
                self.sizes[key] = size
                return 200, "", {"ETag": _tag()}
            case "HEAD" if key in self.sizes:
                return 200, "", {"ETag": _tag(), "Content-Length": str(self.sizes[key]), "Last-Modified": WHEN}
            case "HEAD":
                return (404 if "/" in key else 200), "", {"Content-Length": "0"}
            case "DELETE":
                self.sizes.pop(key, None)
                return 204, "", {}
            case _:
                return 200, f"{XML}<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>", {}

    def _begun(self, key: str) -> tuple[int, str, dict[str, str]]:
        name = f"upload{next(self.numbers)}"
        self.parts[name] = {}
        body = f"<InitiateMultipartUploadResult><UploadId>{name}</UploadId></InitiateMultipartUploadResult>"
        return 200, XML + body, {}


WHEN = "Tue, 14 Jul 2026 12:00:00 GMT"


def _tag() -> str:
    return '"null-1"'


def serve(line: socket.socket, store: NullStore) -> None:
    """Answers the requests of one connection."""
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    waste = memoryview(bytearray(BUFFER_BYTES))
    rest = b""
    with line, suppress(ConnectionError):
        while True:
            while HEAD_ENDS not in rest:
                if not (came := line.recv(BUFFER_BYTES)):
                    return
                rest += came
            head, rest = rest.split(HEAD_ENDS, 1)
            first, *others = head.decode("latin-1").split("\r\n")
            method, target, _ = first.split(" ")
            headers = {name.lower(): text for name, _, text in (each.partition(": ") for each in others)}
            if headers.get("expect"):
                line.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            length = int(headers.get("content-length", 0))
            left, rest = length - len(rest[:length]), rest[length:]
            while left > 0:
                if not (read := line.recv_into(waste, min(left, BUFFER_BYTES))):
                    return
                left -= read
            size = int(headers.get("x-amz-decoded-content-length", length))
            where = urlsplit(target)
            key = unquote(where.path).strip("/")
            status, body, more = store.answer(method, key, parse_qs(where.query, keep_blank_values=True), size)
            told = {"Content-Length": str(len(body)), **more}
            lines = [f"HTTP/1.1 {status} Said", *(f"{name}: {text}" for name, text in told.items())]
            line.sendall("\r\n".join(lines).encode() + HEAD_ENDS + body.encode())


def main() -> None:
    store = NullStore()
    with socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=64) as door:
        print(door.getsockname()[1], flush=True)
        while True:
            line, _ = door.accept()
            threading.Thread(target=serve, args=(line, store), daemon=True).start()


if __name__ == "__main__":
    main()
