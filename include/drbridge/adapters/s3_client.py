"""The S3 client: how it is made from a connection, and what its failures mean."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from http.client import HTTPResponse, IncompleteRead
from typing import Any, BinaryIO

import botocore.session
from botocore.awsrequest import (
    AWSHTTPConnection,
    AWSHTTPConnectionPool,
    AWSHTTPSConnection,
    AWSHTTPSConnectionPool,
)
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, NoCredentialsError, ParamValidationError

from drbridge.errors import Busy, DrBridgeError, Misconfigured, NotAllowed, Unreachable, WrongLogin
from drbridge.ports import Connection

CONNECT_SECONDS = 5
READ_SECONDS = 60
POOL = 16
PIECE_BYTES = 1 << 20
DEFAULT_REGION = "us-east-1"
_WRONG_LOGIN = {
    "InvalidAccessKeyId", "SignatureDoesNotMatch", "AuthorizationHeaderMalformed", "InvalidToken", "ExpiredToken",
    "RequestTimeTooSkewed", "NotAuthenticated", "InvalidSecurity",
}  # fmt: skip


def client_of(connection: Connection) -> Any:
    """A client for this connection. Clients are dear to make and safe to share between threads, so one is kept."""
    extra = connection.extra
    login = connection.login or str(extra.get("aws_access_key_id") or "")
    secret = connection.password or str(extra.get("aws_secret_access_key") or "")
    host = f"{connection.schema or 'https'}://{connection.host}" if connection.host else ""
    return _client(
        os.getpid(), str(extra.get("endpoint_url") or host), str(extra.get("region_name") or DEFAULT_REGION),
        login, secret, str(extra.get("aws_session_token") or ""), str(extra.get("verify", True)),
    )  # fmt: skip


@lru_cache(maxsize=16)
def _client(
    _process: int, endpoint: str, region: str, login: str, secret: str, token: str, verify: str
) -> Any:  # fmt: skip
    return botocore.session.Session().create_client(
        "s3", endpoint_url=endpoint or None, region_name=region,
        aws_access_key_id=login or None, aws_secret_access_key=secret or None, aws_session_token=token or None,
        verify={"True": True, "False": False}.get(verify.title(), verify),
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path", "payload_signing_enabled": True},
            # Other checksums travel as `aws-chunked`, which some stores refuse; the signature covers the bytes.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            connect_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS, tcp_keepalive=True,
            max_pool_connections=POOL, retries={"mode": "standard", "total_max_attempts": 2},
        ),
    )  # fmt: skip


class _Lines:
    """Reads lines and keeps the last one."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.last = file, b""

    def readline(self, limit: int) -> bytes:
        self.last = self._file.readline(limit)
        return self.last


class WholeReply(HTTPResponse):
    """A reply whose head came to its empty line, and whose body to its last byte; any other counts as a lost line.

    Python takes a head that was cut for one that has ended, and the S3 library a body that did not come for an empty
    one: a bucket would seem empty, an object of another size.
    """

    def begin(self) -> None:
        file, lines = self.fp, _Lines(self.fp)
        self.fp = lines  # type: ignore[assignment]
        try:
            super().begin()
        finally:
            self.fp = file
        if lines.last not in (b"\r\n", b"\n"):
            raise IncompleteRead(lines.last)

    def read(self, amt: int | None = None) -> bytes:
        data = super().read(amt)
        if not data and amt != 0 and self.length:
            raise IncompleteRead(data, self.length)
        return data


class _Ours:
    """What our connections do: they take whole replies only, and send a body in large pieces."""

    response_class = WholeReply

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "blocksize": PIECE_BYTES})


class Line(_Ours, AWSHTTPConnection):  # type: ignore[misc]
    """A connection."""


class SecureLine(_Ours, AWSHTTPSConnection):  # type: ignore[misc]
    """One over TLS."""


AWSHTTPConnectionPool.ConnectionCls = Line
AWSHTTPSConnectionPool.ConnectionCls = SecureLine


def status_of(error: ClientError) -> int:
    """The HTTP status of a refusal, or 0."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def code_of(error: ClientError) -> str:
    """The store's own word for a refusal; for an answer without a body it is the status."""
    return str(error.response.get("Error", {}).get("Code", ""))


def is_absent(error: ClientError) -> bool:
    """Whether the store says that the object is not there; a missing bucket is another matter."""
    return status_of(error) == 404 and code_of(error) in ("NoSuchKey", "404", "NotFound")


def is_unmet_condition(error: ClientError) -> bool:
    """Whether the object was not as we demanded: taken, changed, or being written by another at this moment."""
    return status_of(error) == 412 or code_of(error) in ("PreconditionFailed", "ConditionalRequestConflict")


def knows_no_conditions(error: ClientError) -> bool:
    """Whether the store refuses a request for the condition it carries: not every store knows all of them."""
    return status_of(error) == 501 or code_of(error) in ("NotImplemented", "InvalidArgument", "InvalidRequest")


@contextmanager
def explained(conn_id: str, doing: str) -> Iterator[None]:
    """Turns what the S3 library raises into errors of ours."""
    try:
        yield
    except DrBridgeError:
        raise
    except ClientError as error:
        raise _refused(error, conn_id, doing) from error
    except (HTTPClientError, BotoCoreError, OSError, RecursionError) as error:
        raise _failed(error, conn_id, doing) from error


def _refused(error: ClientError, conn_id: str, doing: str) -> DrBridgeError:
    status, code, where = status_of(error), code_of(error), f"object storage {conn_id}"
    detail = f"{doing}: HTTP {status} {code}"
    if code in _WRONG_LOGIN:
        return WrongLogin(f"The {where} refuses our login", detail, f"correct login and password of {conn_id}")
    if code == "NoSuchBucket":
        return Misconfigured(f"The {where} has no such bucket", detail, "correct the bucket in systems.toml")
    if status == 403:
        return NotAllowed(f"The {where} does not let us {doing}", detail, "ask its owner for the right to")
    if status in (429, 503):
        return Busy(f"The {where} asks us to slow down", detail, "nothing: it is tried again", retry_after=30.0)
    if 300 <= status < 400 or code in ("InvalidBucketName", "PermanentRedirect"):
        return Misconfigured(f"The {where} is not where we look for it", detail, f"correct endpoint_url of {conn_id}")
    return Unreachable(f"The {where} failed to {doing}", detail, "nothing: it is tried again")


def _failed(error: Exception, conn_id: str, doing: str) -> DrBridgeError:
    where, detail = f"object storage {conn_id}", f"{doing}: {type(error).__name__}: {error}"
    if RecursionError in (type(error), type(getattr(error, "kwargs", {}).get("error"))):
        # The library follows a redirect to where it came from, again and again.
        return Misconfigured(f"The {where} sends us in circles", doing, f"correct endpoint_url of {conn_id}")
    if isinstance(error, NoCredentialsError | ParamValidationError):
        return Misconfigured(f"Connection {conn_id} cannot be used", detail, "correct its login, password and extras")
    return Unreachable(f"The {where} does not answer", detail, "nothing: it is tried again")


def with_condition(operation: Any, wanted: dict[str, Any], condition: dict[str, str]) -> Any:
    """Sends with the condition; a store that does not know conditions is asked again without."""
    try:
        return operation(**wanted, **condition)
    except ClientError as error:
        if not knows_no_conditions(error):
            raise
    return operation(**wanted)
