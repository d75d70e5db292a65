"""Uploads in parts that were begun in a bucket and not completed: found by their key, with the parts they hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

Part = tuple[int, int, str]
"""Number, bytes and tag."""


@dataclass(frozen=True, slots=True)
class LeftOpen:
    """An upload that was begun and not completed.

    Attributes:
        begun_at: seconds since 1970 UTC, by the store's clock.
    """

    upload_id: str
    begun_at: float


def left_open(client: Any, bucket: str, key: str) -> list[LeftOpen]:
    """The uploads of exactly this key, the newest first; one whose key XML cannot carry is not found."""
    pages = client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=key)
    try:
        listed = [each for page in pages for each in page.get("Uploads", ()) if each["Key"] == key]
    except ResponseParserError:
        return []
    found = [LeftOpen(each["UploadId"], each["Initiated"].timestamp()) for each in listed]
    return sorted(found, key=lambda left: left.begun_at, reverse=True)


def held_parts(client: Any, bucket: str, key: str) -> tuple[str, frozenset[Part]] | None:
    """The newest upload of a key with the parts that the store holds of it; None when there is none.

    A store that does not let us look costs us only that all parts go again.
    """
    try:
        for left in left_open(client, bucket, key):
            pages = client.get_paginator("list_parts").paginate(Bucket=bucket, Key=key, UploadId=left.upload_id)
            parts = (part for page in pages for part in page.get("Parts", ()))
            return left.upload_id, frozenset(
                (part["PartNumber"], part["Size"], part["ETag"].strip('"')) for part in parts
            )
    except ClientError:
        pass
    return None
