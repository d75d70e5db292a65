"""Prefixes of buckets, over S3."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import datetime
from hashlib import sha256
from typing import Any

from botocore.exceptions import ClientError

from drbridge.adapters.names import HIDDEN_PREFIX, check_name, is_file_name
from drbridge.adapters.s3_client import (
    client_of,
    explained,
    is_absent,
    is_unmet_condition,
    knows_no_conditions,
    status_of,
    with_condition,
)
from drbridge.adapters.s3_parts import left_open
from drbridge.adapters.s3_upload import S3Upload
from drbridge.errors import Misconfigured, Unstable
from drbridge.ports import AlreadyThere, Connection, Entry, UploadNote
from drbridge.spans import Spans, cut

Entries = list[Entry]
CHUNK_BYTES = 8 << 20
CHUNKS_AHEAD = 3
ENDS_BYTES = 64 << 10
LARGEST_COPY_BYTES = 5 << 30
COPIED_FROM = "copied-from"


class S3Store:
    """One prefix of a bucket. An entry's `version` is its ETag: the store's tag of this very content.

    Args:
        connection: an Airflow connection of type `aws`; the extras `endpoint_url` and `region_name` are read.
        prefix: without slashes at its ends; empty for the whole bucket.
    """

    def __init__(self, connection: Connection, bucket: str, prefix: str = "") -> None:
        self.conn_id, self.bucket = connection.conn_id, bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self.url = f"s3://{connection.conn_id}/{bucket}/{self._prefix}".rstrip("/")
        self._bucket_is_there = False
        with explained(self.conn_id, "connect"):
            self.client = client_of(connection)

    def key(self, name: str) -> str:
        return self._prefix + check_name(name)

    def list(self) -> list[Entry]:
        found = Entries()
        with explained(self.conn_id, "list its objects"):
            pages = self.client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=self._prefix, Delimiter="/"
            )
            for item in (item for page in pages for item in page.get("Contents", ())):
                name = item["Key"].removeprefix(self._prefix)
                if is_file_name(name):
                    found.append(Entry(name, item["Size"], _seconds(item["LastModified"]), _plain(item["ETag"])))
        return found

    def stat(self, name: str) -> Entry | None:
        head = self._head(name)
        return None if head is None else _entry(name, head)

    def _head(self, name: str) -> dict[str, Any] | None:
        key = self.key(name)
        with explained(self.conn_id, f"look at {name}"):
            try:
                return dict(self.client.head_object(Bucket=self.bucket, Key=key))
            except ClientError as error:
                if status_of(error) == 403 or (status_of(error) == 404 and not self._bucket_is_there):
                    self._say_why()
                if is_absent(error):
                    return None
                raise

    def _say_why(self) -> None:
        """A HEAD is answered without words: a listing says whether login or bucket are wrong."""
        self.client.list_objects_v2(Bucket=self.bucket, Prefix=self._prefix, MaxKeys=1)
        self._bucket_is_there = True

    def ends_hash(self, name: str, size: int) -> str:
        first = self._range(name, 0, ENDS_BYTES, None) if size else b""
        last = self._range(name, max(0, size - ENDS_BYTES), ENDS_BYTES, None) if size else b""
        return sha256(first + last).hexdigest()

    def _range(self, name: str, offset: int, length: int, tag: str | None) -> bytes:
        """Some bytes of the object; with a tag, only if it still is that one."""
        pinned = {} if tag is None else {"IfMatch": f'"{tag}"'}
        with explained(self.conn_id, f"read {name}"):
            try:
                answer = self.client.get_object(
                    Bucket=self.bucket, Key=self.key(name), Range=f"bytes={offset}-{offset + length - 1}", **pinned
                )
                body = bytes(answer["Body"].read())
            except ClientError as error:
                if is_unmet_condition(error) or is_absent(error) or status_of(error) == 416:
                    raise _changed(name) from error
                raise
        if tag is not None and _plain(answer["ETag"]) != tag:
            raise _changed(name)
        return body

    @contextmanager
    def open(self, name: str, spans: Spans | None = None) -> Iterator[Iterator[bytes]]:
        before = self.stat(name)
        if before is None:
            raise Unstable(f"{name} is not in {self.url} any more", fix="nothing: the next run looks again")
        pool = ThreadPoolExecutor(CHUNKS_AHEAD, thread_name_prefix="s3-read")
        try:
            wanted = [(0, before.size)] if spans is None else spans
            if any(end > before.size for _, end in wanted):
                raise _changed(name)
            yield cut(self._chunks(pool, before, wanted), wanted)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _chunks(self, pool: ThreadPoolExecutor, before: Entry, spans: Spans) -> Iterator[tuple[int, bytes]]:
        """Reads ahead in ranges that all must be of the same version, and looks once more at the end."""
        offsets = iter(sorted({
            each for start, end in spans
            for each in range(start - start % CHUNK_BYTES, end, CHUNK_BYTES)
        }))  # fmt: skip
        ahead: deque[tuple[int, int, Future[bytes]]] = deque()
        while True:
            while len(ahead) < CHUNKS_AHEAD and (offset := next(offsets, None)) is not None:
                length = min(CHUNK_BYTES, before.size - offset)
                asked = pool.submit(self._range, before.name, offset, length, before.version)
                ahead.append((offset, length, asked))
            if not ahead:
                break
            offset, length, asked = ahead.popleft()
            if len(chunk := asked.result()) != length:
                raise _changed(before.name)
            yield offset, chunk
        if self.stat(before.name) != before:
            raise _changed(before.name)

    @contextmanager
    def upload(self, name: str, size: int | None = None, note: UploadNote | None = None) -> Iterator[S3Upload]:
        upload = S3Upload(self, name, note)
        try:
            yield upload
        except BaseException as error:
            upload.has_failed = not isinstance(error, AlreadyThere)
            raise
        finally:
            upload.end()

    def rename(self, old: str, new: str) -> None:
        """Copies, then deletes. The copy says what it was made from, so that one cut in the middle is finished."""
        source, target = self._head(old), self._head(new)
        if source is None:
            raise Unstable(f"{old} is not in {self.url} any more", fix="nothing: the next run looks again")
        tag = _plain(source["ETag"])
        if target is None:
            self._copy(old, new, source)
        elif target.get("Metadata", {}).get(COPIED_FROM) != tag:
            raise AlreadyThere(_entry(new, target))
        now = self.stat(old)
        if now is not None and now.version == tag:
            self.remove(old)

    def _copy(self, old: str, new: str, source: dict[str, Any]) -> None:
        tag, size = _plain(source["ETag"]), int(source["ContentLength"])
        if size > LARGEST_COPY_BYTES:
            raise Misconfigured(f"{old} is too large to be renamed", detail=f"{size} bytes", fix="lower max_file_bytes")
        wanted = {
            "Bucket": self.bucket, "Key": self.key(new),
            "CopySource": {"Bucket": self.bucket, "Key": self.key(old)}, "CopySourceIfMatch": source["ETag"],
            "MetadataDirective": "REPLACE", "Metadata": {**source.get("Metadata", {}), COPIED_FROM: tag},
            "ContentType": source.get("ContentType", "binary/octet-stream"),
        }  # fmt: skip
        with explained(self.conn_id, f"rename {old}"):
            try:
                with_condition(self.client.copy_object, wanted, {"IfNoneMatch": "*"})
            except ClientError as error:
                if not is_unmet_condition(error) and not is_absent(error):
                    raise
                if (there := self.stat(new)) is not None:
                    raise AlreadyThere(there) from None
                raise _changed(old) from error
        there = self.stat(new)
        if there is None or there.size != size:
            raise _changed(new)

    def clear(self, before: float, begun: Collection[str]) -> int:
        """Aborts old uploads of the keys that were noted, and removes old objects under hidden names."""
        count = 0
        with explained(self.conn_id, "clear away what lost uploads left"):
            for key in map(self.key, begun):
                for left in left_open(self.client, self.bucket, key):
                    if left.begun_at < before:
                        self.client.abort_multipart_upload(Bucket=self.bucket, Key=key, UploadId=left.upload_id)
                        count += 1
            hidden = {"Bucket": self.bucket, "Prefix": self._prefix + HIDDEN_PREFIX, "Delimiter": "/"}
            for page in self.client.get_paginator("list_objects_v2").paginate(**hidden):
                for item in page.get("Contents", ()):
                    if _seconds(item["LastModified"]) < before:
                        self.client.delete_object(Bucket=self.bucket, Key=item["Key"])
                        count += 1
        return count

    def remove(self, name: str) -> None:
        with explained(self.conn_id, f"remove {name}"):
            self.client.delete_object(Bucket=self.bucket, Key=self.key(name))

    def honours_conditions(self) -> bool:
        """Whether the store refuses to overwrite when asked not to; tried with an object that is removed again."""
        key = f"{self._prefix}{HIDDEN_PREFIX}probe-{secrets.token_hex(8)}"
        with explained(self.conn_id, "try a conditional write"):
            self.client.put_object(Bucket=self.bucket, Key=key, Body=b"1")
            try:
                self.client.put_object(Bucket=self.bucket, Key=key, Body=b"2", IfNoneMatch="*")
            except ClientError as error:
                if is_unmet_condition(error):
                    return True
                if not knows_no_conditions(error):
                    raise
            finally:
                with suppress(ClientError):
                    self.client.delete_object(Bucket=self.bucket, Key=key)
        return False

    def check(self) -> None:
        """Looks whether the prefix can be listed.

        Raises:
            DrBridgeError: it cannot; the error says what to do.
        """
        with explained(self.conn_id, "list its objects"):
            self._say_why()

    def close(self) -> None:
        """Nothing to do: the client is shared with the other stores of its connection."""


def _plain(tag: str) -> str:
    return tag.strip('"')


def _seconds(moment: datetime) -> float:
    """Whole seconds: a listing knows milliseconds, a HEAD does not, and both must tell the same time."""
    return float(int(moment.timestamp()))


def _entry(name: str, head: dict[str, Any]) -> Entry:
    return Entry(name, int(head["ContentLength"]), _seconds(head["LastModified"]), _plain(head["ETag"]))


def _changed(name: str) -> Unstable:
    return Unstable(f"{name} changed while it was read", fix="nothing: it is read again when it is quiet")
