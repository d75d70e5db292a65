"""Servers that misbehave on purpose, on threads of the test itself."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import asyncssh
from asyncssh.sftp import SFTPAttrs, SFTPPermissionDenied, SFTPServer

from drbridge.loop import LoopThread
from drbridge.ports import Connection


class Door(asyncssh.SSHServer):
    """Lets nobody in but with one password, and counts how often it was asked."""

    tries: list[str]

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        self.tries.append(password)
        return password == "right"

    def kbdint_auth_supported(self) -> bool:
        return True

    def get_kbdint_challenge(self, username: str, lang: str, submethods: str) -> object:
        return "", "", "", [("Password:", False)]

    def validate_kbdint_response(self, username: str, responses: list[str]) -> bool:
        return self.validate_password(username, responses[0])


class ReadOnlyDisk(SFTPServer):
    """Shows everything and lets nothing be changed."""

    def open(self, path: bytes, pflags: int, attrs: SFTPAttrs) -> object:
        if pflags & asyncssh.FXF_WRITE:
            raise SFTPPermissionDenied("read only")
        return super().open(path, pflags, attrs)

    def rename(self, oldpath: bytes, newpath: bytes) -> None:
        raise SFTPPermissionDenied("read only")

    def remove(self, path: bytes) -> None:
        raise SFTPPermissionDenied("read only")


class StingyReads(SFTPServer):
    """Answers every read with at most 1,000 bytes, as a server may."""

    def read(self, file_obj: object, offset: int, size: int) -> object:
        return super().read(file_obj, offset, min(size, 1_000))


@contextmanager
def sftp(root: Path, disk: type[SFTPServer], *, passwords_only: bool = True) -> Iterator[tuple[Connection, list[str]]]:
    """Runs such a content server; gives the connection to it and the passwords it was asked about."""
    runner, tries, key = LoopThread("rude"), list[str](), asyncssh.generate_private_key("ssh-ed25519")
    door = type("CountingDoor", (Door,), {"tries": tries})
    if passwords_only:
        door.kbdint_auth_supported = lambda _: False

    async def listen() -> asyncssh.SSHAcceptor:
        return await asyncssh.create_server(
            door, "127.0.0.1", 0, server_host_keys=[key],
            sftp_factory=lambda channel: disk(channel, chroot=str(root).encode()),
        )  # fmt: skip

    acceptor = runner.run(listen())
    trusted = key.export_public_key().decode()
    yield (
        Connection("rude", "sftp", "127.0.0.1", acceptor.get_port(), "who", "right", extra={"host_key": trusted}),
        tries,
    )
    runner.loop.call_soon_threadsafe(acceptor.close)
    runner.close()


@contextmanager
def s3(status: int, code: str) -> Iterator[Connection]:
    """Runs an object store that refuses everything in the same way."""
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>no</Message></Error>".encode()

    class Refuser(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = answer  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Refuser)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield Connection("rude", "aws", login="a", password="b", extra={"endpoint_url": address})
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
