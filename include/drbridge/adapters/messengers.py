"""Ways of telling people: mail over SMTP, and a webhook."""

from __future__ import annotations

import hmac
import json
import smtplib
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from email.message import EmailMessage
from email.utils import formatdate
from hashlib import sha256

from drbridge import loop
from drbridge.adapters.http import HttpTarget
from drbridge.errors import Misconfigured, Rejected, Unreachable
from drbridge.exchange.tell import Messenger, Notice
from drbridge.ports import Call, Connection, JsonValue, Lost, NotSent, Reply
from drbridge.settings import Notify

DEADLINE_SECONDS = 10.0
SSL_PORT, STARTTLS_PORT, PLAIN_PORT = 465, 587, 25
SIGNATURE_HEADER = "X-Drbridge-Signature"


def messengers(notify: Notify, get_connection: Callable[[str], Connection]) -> dict[str, Messenger]:
    """The ways that `[notify]` names.

    Raises:
        Misconfigured: there is no such connection, or it is of the wrong type.
    """
    ways: dict[str, Messenger] = {}
    if notify.mail:
        ways["mail"] = Mail(_typed(get_connection(notify.mail), "smtp"), notify.sender)
    if notify.webhook:
        ways["webhook"] = Webhook(_typed(get_connection(notify.webhook), "http"))
    return ways


def _typed(connection: Connection, kind: str) -> Connection:
    if connection.conn_type != kind:
        raise Misconfigured(
            f"Connection {connection.conn_id} is of type {connection.conn_type}, not {kind}",
            fix=f"make it a connection of type {kind}, or name another under [notify] in systems.toml",
        )
    return connection


class Mail:
    """Mail through a server of the utility's: over TLS from the start, or from STARTTLS on.

    Args:
        connection: an Airflow connection of type `smtp`; its extras as Airflow knows them: `disable_ssl` means
            STARTTLS, with `disable_tls` besides no encryption at all, and then no login; `verify` is a file
            of certificates to trust.
        sender: the address that mail comes from.
    """

    def __init__(self, connection: Connection, sender: str) -> None:
        self._connection, self._sender = connection, sender
        self._is_ssl = not _is_true(connection.extra.get("disable_ssl"))
        self._is_plain = not self._is_ssl and _is_true(connection.extra.get("disable_tls"))
        if self._is_plain and connection.login:
            raise Misconfigured(
                f"Connection {connection.conn_id} would send its password in the clear",
                fix="take disable_tls out of its extras, or the login",
            )

    def send(self, notice: Notice, recipients: Sequence[str]) -> None:
        """Sends one mail to all recipients.

        Raises:
            Unreachable: the server cannot be reached or asks us to come back.
            Misconfigured: login or certificate are wrong.
            Rejected: the server refuses this mail, or each of its recipients.
        """
        if not recipients:
            return
        message, where = self._message(notice, recipients), self._connection.conn_id
        try:
            with self._server() as server:
                server.send_message(message)
        except (smtplib.SMTPAuthenticationError, ssl.SSLError, smtplib.SMTPNotSupportedError) as error:
            raise Misconfigured(f"{where} does not let us in", type(error).__name__, f"correct {where}") from error
        except (smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused) as error:
            raise _refused(where, error) from error
        except (OSError, smtplib.SMTPException) as error:
            raise Unreachable(f"{where} cannot be reached", type(error).__name__, f"look at {where}") from error

    def _message(self, notice: Notice, recipients: Sequence[str]) -> EmailMessage:
        message = EmailMessage()
        message["Subject"] = notice.heading
        message["From"], message["To"] = self._sender, ", ".join(recipients)
        message["Date"] = formatdate(usegmt=True)
        message["Message-ID"] = f"<{notice.number}@{self._sender.rpartition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(notice.text)
        return message

    @contextmanager
    def _server(self) -> Iterator[smtplib.SMTP]:
        with self._connected() as server:
            if not self._is_ssl and not self._is_plain:
                server.starttls(context=self._tls())
            if self._connection.login:
                server.login(self._connection.login, self._connection.password)
            yield server

    def _connected(self) -> smtplib.SMTP:
        host, port = self._connection.host, self._connection.port
        if self._is_ssl:
            return smtplib.SMTP_SSL(host, port or SSL_PORT, timeout=DEADLINE_SECONDS, context=self._tls())
        return smtplib.SMTP(host, port or (PLAIN_PORT if self._is_plain else STARTTLS_PORT), timeout=DEADLINE_SECONDS)

    def _tls(self) -> ssl.SSLContext:
        verify = self._connection.extra.get("verify")
        try:
            return ssl.create_default_context(cafile=str(verify) if verify else None)
        except OSError as error:
            raise Misconfigured(
                f"The certificates of connection {self._connection.conn_id} cannot be used",
                detail=type(error).__name__, fix="correct verify in its extras",
            ) from error  # fmt: skip


def _is_true(extra: JsonValue) -> bool:
    return str(extra).lower() == "true"


def _refused(where: str, error: smtplib.SMTPResponseException | smtplib.SMTPRecipientsRefused) -> Exception:
    """4xx: later. 5xx: never. The server's own words stay where they are."""
    if isinstance(error, smtplib.SMTPResponseException):
        codes = [error.smtp_code]
    else:
        codes = [code for code, _ in error.recipients.values()]
    told = f"SMTP {', '.join(str(code) for code in codes)}"
    if any(code < 500 for code in codes):
        return Unreachable(f"{where} takes no mail now", told, "nothing: it is tried again")
    return Rejected(f"{where} refuses this mail", told, "look at sender and recipients under [notify] in systems.toml")


class Webhook:
    """A POST of the notice as JSON.

    Args:
        connection: an Airflow connection of type `http`, the path in the extra `path`; a password without a login is
            the key of the signature `X-Drbridge-Signature: sha256=<HMAC of the body>`.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def send(self, notice: Notice, recipients: Sequence[str]) -> None:
        """Posts one notice; who reads it is the other side's affair.

        Raises:
            Unreachable: it does not answer, or not now.
            Rejected: it answers with something other than 2xx.
        """
        where = self._connection.conn_id
        try:
            reply = loop.run(self._post(self._call(notice)))
        except (NotSent, Lost) as error:
            raise Unreachable(f"{where} cannot be reached", str(error), f"look at {where}") from error
        if reply.status in (408, 425, 429) or reply.status >= 500:
            raise Unreachable(f"{where} takes no notices now", f"HTTP {reply.status}", "nothing: it is tried again")
        if not 200 <= reply.status < 300:
            raise Rejected(f"{where} refuses this notice", f"HTTP {reply.status}", f"correct connection {where}")

    def _call(self, notice: Notice) -> Call:
        connection = self._connection
        path = str(connection.extra.get("path") or "/")
        call = Call("POST", path, notice.number, json=json.loads(json.dumps(notice.as_dict())))
        if not connection.password or connection.login:
            return call
        signature = hmac.new(connection.password.encode(), call.content, sha256).hexdigest()
        return Call(call.method, path, call.key, call.json, headers={SIGNATURE_HEADER: f"sha256={signature}"})

    async def _post(self, call: Call) -> Reply:
        target = HttpTarget(self._connection, deadline=DEADLINE_SECONDS)
        try:
            return await target.call(call)
        finally:
            await target.close()
