"""A content server: SFTP over a folder, as another system would run it.

OpenSSH where it is installed, else a server on asyncssh. They differ in who may come in:

* OpenSSH without PAM checks passwords of system accounts only, so this one takes a key instead: `login` is the
  account we run as, `private_key` lets it in, and there is no password. It works as root and as a plain user.
  A session starts in the folder (`internal-sftp -d`) and could leave it by an absolute path: a real chroot needs
  root-owned parents, which a folder under /tmp does not have.
* asyncssh takes `user` with the password or the key and keeps every path inside the folder.

`connection()` says the difference to a client.
"""

from __future__ import annotations

import argparse
import asyncio
import getpass
import json
import os
import re
import sys
import tempfile
from pathlib import Path

import asyncssh

from drbridge_sandbox.children import Child

SSHD = Path("/usr/sbin/sshd")


class ContentServer:
    """An SFTP server of our own on 127.0.0.1.

    Args:
        root: the folder it serves; made when it is not there.
        port: where it listens.
        user: who may come in (asyncssh; OpenSSH knows only the account we run as, see `login`).
        password: that user's password (asyncssh only).
        openssh: True for OpenSSH, False for asyncssh, None for OpenSSH where it is installed.
    """

    def __init__(self, root: Path, port: int, user: str, password: str, *, openssh: bool | None = None) -> None:
        self.root, self.port = root.absolute(), port
        self.openssh = SSHD.exists() if openssh is None else openssh
        self.login = getpass.getuser() if self.openssh else user
        self.password = "" if self.openssh else password
        self._state = self.root.parent / f".{root.name}-sshd"
        self._child: Child | None = None
        self._alias: tempfile.TemporaryDirectory[str] | None = None
        self._prepare()

    def _prepare(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        self._state.mkdir(parents=True, exist_ok=True)
        self._state.chmod(0o700)
        for name in ("host_key", "client_key"):
            path = self._state / name
            if not path.exists():
                key = asyncssh.generate_private_key("ssh-ed25519", comment=name)
                path.touch(mode=0o600)
                key.write_private_key(path)
                key.write_public_key(path.with_suffix(".pub"))
        self.host_key = self._read("host_key.pub")
        self.private_key = self._read("client_key") + "\n"

    def _read(self, name: str) -> str:
        return (self._state / name).read_text(encoding="ascii").strip()

    def start(self) -> None:
        """Returns when the server takes connections.

        Raises:
            DidNotStart: it does not; the reason is in the text.
        """
        if self.openssh:
            command, env = self._openssh_command(), {}
        else:
            command = [sys.executable, "-m", "drbridge_sandbox.content_server", str(self.root), str(self.port)]
            env = {"DRBRIDGE_CONTENT_SERVER": json.dumps([self.login, self.password, str(self._state)])}
        self._child = Child(command, self._state / "log", env)
        try:
            self._child.wait_until_open(self.port)
        except BaseException:
            self.stop()
            raise

    def _openssh_command(self) -> list[str]:
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        start = self._plain_path()
        settings = {
            "Port": self.port,
            "ListenAddress": "127.0.0.1",
            "HostKey": f'"{self._state / "host_key"}"',
            "AuthorizedKeysFile": f'"{self._state / "client_key.pub"}"',
            "PidFile": "none",
            "StrictModes": "no",
            "UsePAM": "no",
            "PermitRootLogin": "prohibit-password",
            "PasswordAuthentication": "no",
            "KbdInteractiveAuthentication": "no",
            "MaxAuthTries": 3,
            "MaxStartups": 100,
            "ClientAliveInterval": 15,
            "UseDNS": "no",
            "PrintMotd": "no",
            "AllowTcpForwarding": "no",
            "Subsystem": f"sftp internal-sftp -d {start}",
            "ForceCommand": f"internal-sftp -d {start}",
            "LogLevel": "VERBOSE",
        }
        config = self._state / "sshd_config"
        config.write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
        return [str(SSHD), "-D", "-e", "-f", str(config)]

    def _plain_path(self) -> Path:
        """The root by a name that sshd can read: it splits commands at blanks, quoted or not."""
        if not re.search(r"[\s%\"'\\]", str(self.root)):
            return self.root
        self._alias = tempfile.TemporaryDirectory(prefix="drbridge-")
        alias = Path(self._alias.name) / "root"
        alias.symlink_to(self.root)
        return alias

    def stop(self) -> None:
        """Ends the server and every session on it at once."""
        if self._child is not None:
            self._child.stop()
            self._child = None
        if self._alias is not None:
            self._alias.cleanup()
            self._alias = None

    def connection(self) -> dict[str, object]:
        """How to reach it, in the JSON form of an Airflow connection."""
        extra = {"host_key": self.host_key} | ({"private_key": self.private_key} if self.openssh else {})
        return {
            "conn_type": "sftp", "host": "127.0.0.1", "port": self.port, "login": self.login,
            "password": self.password, "extra": extra,
        }  # fmt: skip

    def __enter__(self) -> ContentServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class _Door(asyncssh.SSHServer):
    """Lets in one user by password; keys are checked by asyncssh itself."""

    def __init__(self, user: str, password: str) -> None:
        self._user, self._password = user, password

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == (self._user, self._password)


async def _serve(root: Path, port: int) -> None:
    user, password, state = json.loads(os.environ.pop("DRBRIDGE_CONTENT_SERVER"))
    server = await asyncssh.create_server(
        lambda: _Door(user, password), "127.0.0.1", port,
        server_host_keys=[str(Path(state) / "host_key")],
        authorized_client_keys=str(Path(state) / "client_key.pub"),
        sftp_factory=lambda channel: asyncssh.SFTPServer(channel, chroot=os.fsencode(root)),
        encryption_algs=["aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes256-ctr"],
        compression_algs=None, allow_pty=False,
    )  # fmt: skip
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("root", type=Path)
    parser.add_argument("port", type=int)
    arguments = parser.parse_args()
    asyncio.run(_serve(arguments.root, arguments.port))
