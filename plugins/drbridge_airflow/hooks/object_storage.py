"""Object storage as an Airflow hook."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from drbridge_airflow.hooks.connections import outside
from drbridge_airflow.hooks.outside_hook import OutsideHook

if TYPE_CHECKING:
    from drbridge.ports import FileStore


class ObjectStorageHook(OutsideHook):
    """A bucket of an object storage with an S3 interface.

    Args:
        conn_id: the connection's id.
        bucket: the bucket's name.
    """

    conn_type = "aws"
    hook_name = "Object storage"
    default_conn_name = "aws_default"

    def __init__(self, conn_id: str, bucket: str, **kwargs: Any) -> None:
        super().__init__(conn_id, **kwargs)
        self.bucket = bucket

    def prefix(self, path: str = "") -> FileStore:
        """The objects under one prefix; close it after use."""
        return outside().store(f"s3://{self.conn_id}/{self.bucket}/{path}")

    def _places(self) -> Sequence[str]:
        return (f"s3://{self.conn_id}/{self.bucket}/",)
