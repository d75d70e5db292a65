"""One SSH connection to a content server: how it is made, whom it trusts, and what its failures mean."""

from __future__ import annotations

import base64
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncssh
from asyncssh.sftp import SFTPClient

from drbridge.errors import DrBridgeError, Misconfigured, NotAllowed, Unreachable, WrongLogin
from drbridge.ports import Connection

KEY_KINDS = ("ssh-", "ecdsa-", "sk-")
CONNECT_SECONDS = 10.0
LOGIN_SECONDS = 20.0
KEEPALIVE_SECONDS = 10.0
WINDOW_BYTES = 16 << 20
PACKET_BYTES = 128 << 10
# AES-GCM is several times as fast as the default cipher on machines with AES instructions.
CIPHERS = (
    "aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com",
    "aes128-ctr", "aes192-ctr", "aes256-ctr",
)  # fmt: skip

# The library tells of every connection, login and channel; only what is wrong belongs into a task's log.
if (_library_log := logging.getLogger("asyncssh")).level == logging.NOTSET:
    _library_log.setLevel(logging.WARNING)


class SftpSession:
    """An open connection with its SFTP channel."""

    def __init__(self, connection: asyncssh.SSHClientConnection, client: SFTPClient) -> None:
        self._connection, self.client = connection, client

    @property
    def is_open(self) -> bool:
        return not self._connection.is_closed()

    async def close(self) -> None:
        self.client.exit()
        self._connection.close()
        await self._connection.wait_closed()

    def abort(self) -> None:
        self._connection.abort()


async def open_session(connection: Connection) -> SftpSession:
    """Connects and logs in, with one try of one way to log in.

    Raises:
        Misconfigured: host key or login are wrong or missing.
        Unreachable: it does not answer.
    """
    with explained(connection):
        ssh = await asyncssh.connect(
            connection.host, connection.port or 22, username=connection.login,
            client_factory=lambda: _Login(connection.password), client_keys=_keys(connection) or None,
            known_hosts=_trusted(connection), config=None, agent_path=None, gss_kex=False, gss_auth=False,
            preferred_auth="publickey,password,keyboard-interactive",
            encryption_algs=CIPHERS, compression_algs=["none"],
            connect_timeout=CONNECT_SECONDS, login_timeout=LOGIN_SECONDS,
            keepalive_interval=KEEPALIVE_SECONDS, keepalive_count_max=3,
            window=WINDOW_BYTES, max_pktsize=PACKET_BYTES,
        )  # fmt: skip
        try:
            return SftpSession(ssh, await ssh.start_sftp_client(path_encoding=None))
        except BaseException:
            ssh.abort()
            raise


async def check_login(connection: Connection) -> None:
    """Logs in once and leaves.

    Raises:
        DrBridgeError: it cannot.
    """
    session = await open_session(connection)
    await session.close()


class _Login(asyncssh.SSHClient):
    """Gives the password once, whichever way it is asked for: a second try could lock the account."""

    def __init__(self, password: str) -> None:
        self._password: str | None = password or None

    def _take_password(self) -> str | None:
        password, self._password = self._password, None
        return password

    def password_auth_requested(self) -> str | None:
        return self._take_password()

    def kbdint_auth_requested(self) -> str | None:
        return None if self._password is None else ""

    def kbdint_challenge_received(
        self, name: str, instructions: str, lang: str, prompts: Any
    ) -> list[str] | None:  # fmt: skip
        if not prompts:
            return []
        password = self._take_password() if len(prompts) == 1 else None
        return None if password is None else [password]


def _keys(connection: Connection) -> list[asyncssh.SSHKey]:
    text, file = connection.extra.get("private_key"), connection.extra.get("key_file")
    phrase = connection.extra.get("private_key_passphrase")
    passphrase = str(phrase) if phrase else None
    try:
        if text:
            return [asyncssh.import_private_key(str(text).replace("\\n", "\n"), passphrase)]
        return [asyncssh.read_private_key(str(file), passphrase)] if file else []
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError, OSError) as error:
        raise Misconfigured(
            f"The private key of connection {connection.conn_id} cannot be used",
            detail=type(error).__name__, fix="correct private_key, key_file or private_key_passphrase in its extras",
        ) from None  # fmt: skip


def _trusted(connection: Connection) -> Any:
    """The host keys to trust: the connection's own, else a known_hosts file; None, trusting all, only on demand."""
    extra = connection.extra
    if line := str(extra.get("host_key") or "").strip():
        return ([_public_key(line, connection)], [], [])
    if str(extra.get("no_host_key_check", "")).lower() == "true":
        return None
    file = Path(str(extra.get("known_hosts") or "~/.ssh/known_hosts")).expanduser()
    if file.is_file() and os.access(file, os.R_OK):
        return str(file)
    raise Misconfigured(
        f"Connection {connection.conn_id} does not say which host key to trust",
        detail=f"no host_key in its extras, and no file {file}",
        fix=f"run ssh-keyscan -t ed25519 {connection.host} where you trust the network; put the key into host_key",
    )


def _public_key(line: str, connection: Connection) -> asyncssh.SSHKey:
    try:
        words = line.split()
        if len(words) > 2 and words[1].startswith(KEY_KINDS):
            line = " ".join(words[1:])
        if len(words) == 1:
            raw = base64.b64decode(line)
            length = int.from_bytes(raw[:4], "big")
            line = f"{raw[4 : 4 + length].decode('ascii')} {line}"
        return asyncssh.import_public_key(line)
    except (asyncssh.KeyImportError, ValueError):
        raise Misconfigured(
            f"host_key of connection {connection.conn_id} is no public key",
            fix="give one line that ssh-keyscan prints, such as: host ssh-ed25519 AAAA...",
        ) from None


@contextmanager
def explained(connection: Connection, doing: str = "connect") -> Iterator[None]:
    """Turns what the SSH library raises into errors of ours."""
    try:
        yield
    except DrBridgeError:
        raise
    except (OSError, asyncssh.Error, EOFError, TimeoutError, UnicodeError) as error:
        raise _translated(error, connection, doing) from error


def _translated(error: Exception, connection: Connection, doing: str) -> DrBridgeError:
    where = f"content server {connection.conn_id}"
    detail = f"{doing}: {type(error).__name__}: {error} ({connection.host}:{connection.port or 22})"
    match error:
        case asyncssh.PermissionDenied() | asyncssh.IllegalUserName():
            what = f"The {where} refuses our login"
            return WrongLogin(what, detail, f"correct login, password or private_key of {connection.conn_id}")
        case asyncssh.DisconnectError(reason=str(reason)) if "authentication" in reason.lower():
            return WrongLogin(f"The {where} refuses our login", detail, f"correct the login of {connection.conn_id}")
        case asyncssh.HostKeyNotVerifiable():
            what = f"The {where} shows another host key than the one we trust"
            return Misconfigured(
                what, detail, f"ask its owner whether the key changed; then correct host_key of {connection.conn_id}"
            )
        case asyncssh.KeyExchangeFailed():
            return Misconfigured(f"The {where} and we have no cipher in common", detail, "ask its owner for AES")
        case asyncssh.SFTPPermissionDenied() | asyncssh.SFTPWriteProtect():
            return NotAllowed(f"The {where} does not let us {doing}", detail, "ask its owner for the right to")
        case asyncssh.SFTPNoSuchFile() | asyncssh.SFTPNoSuchPath() | asyncssh.SFTPNotADirectory():
            return Misconfigured(f"The {where} has no such folder", detail, "correct the folder in systems.toml")
        case asyncssh.SFTPNoSpaceOnFilesystem() | asyncssh.SFTPQuotaExceeded():
            return Unreachable(f"The {where} is full", detail, "nothing: it is tried again; tell its owner")
        case asyncssh.SFTPConnectionLost() | asyncssh.SFTPNoConnection():
            return Unreachable(f"The line to the {where} was cut", detail, "nothing: it is tried again")
        case asyncssh.SFTPError():
            return Unreachable(f"The {where} failed to {doing}", detail, "nothing: it is tried again")
        case socket.gaierror():
            return Unreachable(f"The name of the {where} is not known", detail, f"check host of {connection.conn_id}")
        case _:
            return Unreachable(f"The {where} does not answer", detail, "nothing: it is tried again")
