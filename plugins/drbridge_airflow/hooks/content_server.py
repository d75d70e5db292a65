"""Content servers as an Airflow hook."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from drbridge_airflow.hooks.connections import outside
from drbridge_airflow.hooks.outside_hook import OutsideHook

if TYPE_CHECKING:
    from drbridge.ports import FileStore


class ContentServerHook(OutsideHook):
    """A content server over SFTP: whole files only, host key checked, many reads in flight."""

    conn_type = "sftp"
    hook_name = "Content server"
    default_conn_name = "sftp_default"

    def folder(self, path: str) -> FileStore:
        """One folder, relative to where the login starts; close it after use."""
        return outside().store(f"sftp://{self.conn_id}/{path}")

    def _places(self) -> Sequence[str]:
        return (f"sftp://{self.conn_id}/",)
