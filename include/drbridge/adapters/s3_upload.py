"""Uploading an object while its bytes are still coming: parts in parallel, flat memory, visible only when complete."""

from __future__ import annotations

import threading
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from hashlib import md5
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from drbridge.adapters.s3_client import explained, is_absent, is_unmet_condition, status_of, with_condition
from drbridge.adapters.s3_parts import Part, held_parts
from drbridge.errors import DrBridgeError, Unreachable
from drbridge.ports import AlreadyThere, Entry, UploadNote

if TYPE_CHECKING:
    from drbridge.adapters.s3 import S3Store

PART_BYTES = 8 << 20
PARTS_IN_FLIGHT = 3
# A store takes 10,000 parts at most: each thousand parts the next ones are twice as large.
PARTS_OF_A_SIZE = 1_000
SHA256 = "sha256"
# What a store answers when the parts it holds make no whole: the next try begins anew.
SPOILT = (400, 404)


class S3Upload:
    """An object on its way into a bucket.

    What fits into one part goes as one object, with our sha256 among its metadata and the MD5 of its bytes in its head:
    a body that never came, because we died before it, must not be taken for an empty object. What is larger goes in
    parts; its metadata would have to be known before its bytes, so it carries none. Every part is signed with the hash
    of its bytes, which the store verifies, and the store's tag of the whole is compared with those of the parts.

    A part that an earlier try left there is not sent again when its size and tag are those of the bytes in hand: the
    content decides, and nothing that anybody remembers.

    Attributes:
        has_failed: whether the next try may want to go on from here.
    """

    def __init__(self, store: S3Store, name: str, note: UploadNote | None = None) -> None:
        self._store, self._name, self._key, self._note = store, name, store.key(name), note
        self.has_failed = False
        self._buffer: list[bytes] = []
        self._buffered = self._written = 0
        self._upload_id: str | None = None
        self._held = frozenset[Part]()
        self._pool: ThreadPoolExecutor | None = None
        self._parts: list[Future[str]] = []
        self._room = threading.Semaphore(PARTS_IN_FLIGHT)
        self._done = self._is_spoilt = False

    @property
    def _where(self) -> dict[str, str]:
        return {"Bucket": self._store.bucket, "Key": self._key}

    def write(self, data: bytes) -> None:
        self._written += len(data)
        view = memoryview(data)
        while len(view) > 0:
            take = min(len(view), self._part_bytes() - self._buffered)
            self._buffer.append(bytes(view[:take]) if take < len(data) else data)
            self._buffered += take
            view = view[take:]
            if self._buffered >= self._part_bytes():
                self._send_part()

    def _part_bytes(self) -> int:
        return PART_BYTES << (len(self._parts) // PARTS_OF_A_SIZE)

    def _take_buffer(self) -> bytes:
        body = self._buffer[0] if len(self._buffer) == 1 else b"".join(self._buffer)
        self._buffer, self._buffered = [], 0
        return body

    def _send_part(self) -> None:
        """Hands the buffer to a thread; waits while too many parts are under way, and tells of one that failed."""
        if self._upload_id is None:
            self._upload_id = self._begin()
            self._pool = ThreadPoolExecutor(PARTS_IN_FLIGHT, thread_name_prefix="s3-part")
        assert self._pool is not None
        self._room.acquire()
        self._raise_failure()
        self._parts.append(self._pool.submit(self._put_part, len(self._parts) + 1, self._take_buffer()))

    def _begin(self) -> str:
        """Begins the upload, or goes on with the one that an earlier try of ours left."""
        is_known = self._note is not None and self._note.begin()
        with self._told(f"write {self._name}"):
            if is_known and (left := held_parts(self._store.client, self._store.bucket, self._key)):
                upload_id, self._held = left
                return upload_id
            return str(self._store.client.create_multipart_upload(**self._where)["UploadId"])

    def _put_part(self, number: int, body: bytes) -> str:
        try:
            if self._held and (number, len(body), tag := _md5(body)) in self._held:
                return f'"{tag}"'
            with self._told(f"write {self._name}"):
                answer = self._store.client.upload_part(
                    **self._where, UploadId=self._upload_id, PartNumber=number, Body=body
                )
            return str(answer["ETag"])
        finally:
            self._room.release()

    @contextmanager
    def _told(self, doing: str) -> Iterator[None]:
        try:
            with explained(self._store.conn_id, doing):
                yield
        except DrBridgeError:
            self.has_failed = True
            raise

    def _raise_failure(self) -> None:
        for part in self._parts:
            if part.done() and (error := part.exception()) is not None:
                raise error

    def complete(self, sha256: str, replaces: str | None = None) -> Entry:
        """Lets the object be seen, whole or not at all, and checks that the store holds what was written."""
        if self._upload_id is not None and self._buffer:
            self._send_part()
        tags = [part.result() for part in self._parts]
        condition = self._condition(replaces)
        with self._told(f"put {self._name} in place"):
            try:
                tag, expected = self._put_whole(sha256, condition) if not tags else self._join(tags, condition)
            except ClientError as error:
                if is_unmet_condition(error) or (replaces is not None and is_absent(error)):
                    raise self._taken(error) from None
                self._is_spoilt = status_of(error) in SPOILT
                raise
        self._done = True
        return self._verified(tag, expected)

    def _condition(self, replaces: str | None) -> dict[str, str]:
        """What must be true of the name at the moment of completion, looked at now and demanded of the store then."""
        there = self._store.stat(self._name)
        if there is None:
            return {"IfNoneMatch": "*"}
        if there.version != replaces:
            raise AlreadyThere(there)
        return {"IfMatch": f'"{replaces}"'}

    def _put_whole(self, sha256: str, condition: dict[str, str]) -> tuple[str, str]:
        body = self._take_buffer() if self._buffer else b""
        tag = _md5(body)
        wanted = {**self._where, "Body": body, "ContentMD5": _in_header(tag), "Metadata": {SHA256: sha256}}
        answer = with_condition(self._store.client.put_object, wanted, condition)
        return str(answer["ETag"]), tag

    def _join(self, tags: list[str], condition: dict[str, str]) -> tuple[str, str]:
        parts = [{"PartNumber": number, "ETag": tag} for number, tag in enumerate(tags, 1)]
        wanted = {**self._where, "UploadId": self._upload_id, "MultipartUpload": {"Parts": parts}}
        answer = with_condition(self._store.client.complete_multipart_upload, wanted, condition)
        digests = b"".join(bytes.fromhex(plain) for tag in tags if _is_md5(plain := tag.strip('"')))
        whole = f"{_md5(digests)}-{len(tags)}"
        return str(answer["ETag"]), whole if len(digests) == 16 * len(tags) else ""

    def _taken(self, error: ClientError) -> Exception:
        there = self._store.stat(self._name)
        if there is not None:
            return AlreadyThere(there)
        return Unreachable(f"{self._name} was taken away while we replaced it", detail=f"HTTP {status_of(error)}")

    def _verified(self, tag: str, expected: str) -> Entry:
        """Compares number of bytes and tag with what was written.

        A tag that is no MD5, as of objects encrypted with a key of the store's owner, says nothing.
        """
        there, tag = self._store.stat(self._name), tag.strip('"')
        if there is None or there.size != self._written or there.version != tag:
            raise Unreachable(f"{self._name} is not there as it was written", detail=f"{self._written} bytes, {there}")
        comparable = _is_md5(tag.split("-")[0]) and ("-" in tag) == ("-" in expected)
        if expected and comparable and tag != expected:
            self._store.remove(self._name)
            raise Unreachable(f"{self._name} was damaged on its way", detail=f"tag {tag}, expected {expected}")
        return there

    def end(self) -> None:
        """Takes back what was put, unless it is in place or the next try may go on from it."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
        may_go_on = self.has_failed and self._note is not None and not self._done and not self._is_spoilt
        if self._upload_id is None or may_go_on:
            return
        with suppress(Exception):  # housekeeping clears away what we cannot
            if not self._done:
                self._store.client.abort_multipart_upload(**self._where, UploadId=self._upload_id)
            if self._note is not None:
                self._note.end()


def _md5(data: bytes) -> str:
    return md5(data, usedforsecurity=False).hexdigest()


def _in_header(tag: str) -> str:
    """An MD5 as Content-MD5 has it."""
    return b64encode(bytes.fromhex(tag)).decode()


def _is_md5(text: str) -> bool:
    return len(text) == 32 and all(letter in "0123456789abcdef" for letter in text)
