"""A mail server on a thread, polite and rude as asked, that remembers what it was given."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from drbridge.loop import LoopThread
from drbridge.ports import Connection, JsonValue


class MailServer:
    """What it was given, and what it answers.

    Attributes:
        answer: to every mail.
        login: the one it lets in, on an encrypted line only.
    """

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.to: list[list[str]] = []
        self.raw: list[bytes] = []
        self.logins: list[str] = []
        self.answer = "250 taken"
        self.login = ("drbridge", "pass")
        self.port = 0

    def connection(self, login: str = "", password: str = "", **extra: JsonValue) -> Connection:
        """A connection to it; without a word on encryption it has none, as the loopback needs none."""
        extra = extra or {"disable_ssl": True, "disable_tls": True}
        return Connection("smtp_default", "smtp", "127.0.0.1", self.port, login, password, "", extra)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        if self.answer.startswith("250"):
            self.raw.append(envelope.content)
            self.to.append(envelope.rcpt_tos)
            self.mails.append(message_from_bytes(envelope.content, policy=policy.default))  # type: ignore[arg-type]
        return self.answer

    def let_in(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        given = (data.login.decode(), data.password.decode())
        self.logins.append(given[0])
        return AuthResult(success=given == self.login, handled=False)


@contextmanager
def running(tls: ssl.SSLContext | None = None) -> Iterator[MailServer]:
    """A server on a free port; with `tls` it wants STARTTLS and a login."""
    server = MailServer()
    wants = {"tls_context": tls, "require_starttls": True, "auth_required": True, "authenticator": server.let_in}
    runner = LoopThread("mail")

    async def start() -> asyncio.Server:
        loop = asyncio.get_running_loop()
        return await loop.create_server(lambda: SMTP(server, loop=loop, **(wants if tls else {})), "127.0.0.1", 0)

    async def stop(listener: asyncio.Server) -> None:
        listener.close()
        await listener.wait_closed()

    listener = runner.run(start())
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        runner.run(stop(listener))
        runner.close()


def certificate(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A certificate for 127.0.0.1 that is its own authority: what a server needs, and the file to trust."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.example")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    trusted, secret = folder / "trusted.pem", folder / "key.pem"
    trusted.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    encoding, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    secret.write_bytes(key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, plain))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(trusted, secret)
    return context, trusted
