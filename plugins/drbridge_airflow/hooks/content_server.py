"""Content servers as an Airflow hook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.providers.sftp.hooks.sftp import SFTPHook

from drbridge.errors import DrBridgeError
from drbridge_airflow.hooks import outside

if TYPE_CHECKING:
    from drbridge.ports import FileStore


class ContentServerHook(SFTPHook):
    """A content server: connection and form are those of SFTP, the files move by our own adapter."""

    hook_name = "Content server"

    def __init__(self, ssh_conn_id: str = "sftp_default") -> None:
        super().__init__(ssh_conn_id=ssh_conn_id)

    def store(self, folder: str) -> FileStore:
        """One folder, relative to where the login starts; close it after use."""
        return outside().store(f"sftp://{self.ssh_conn_id}/{folder}")

    def test_connection(self) -> tuple[bool, str]:
        """Logs in, checks the host key and lists the folder that the login starts in."""
        try:
            store = self.store("")
            try:
                found = len(store.list())
            finally:
                store.close()
        except DrBridgeError as error:
            return False, str(error)
        return True, f"Logged in, host key checked; {found} files where the login starts"
