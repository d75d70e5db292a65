"""Object storage as an Airflow hook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.providers.amazon.aws.hooks.s3 import S3Hook

from drbridge.errors import DrBridgeError
from drbridge_airflow.hooks import connection_of, outside

if TYPE_CHECKING:
    from drbridge.ports import FileStore


class ObjectStorageHook(S3Hook):
    """Object storage with an S3 interface: connection and form are those of AWS, objects move by our own adapter."""

    hook_name = "Object storage"

    def __init__(self, aws_conn_id: str = "aws_default") -> None:
        super().__init__(aws_conn_id=aws_conn_id)

    def store(self, bucket: str, prefix: str = "") -> FileStore:
        """One prefix of a bucket; close it after use."""
        return outside().store(f"s3://{self.aws_conn_id}/{bucket}/{prefix}")

    def test_connection(self) -> tuple[bool, str]:
        """Logs in; the buckets are listed where the login may do that."""
        from drbridge.adapters.s3_client import check_login

        try:
            return True, check_login(connection_of(str(self.aws_conn_id)))
        except DrBridgeError as error:
            return False, str(error)
