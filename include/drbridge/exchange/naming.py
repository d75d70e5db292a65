"""File names of ours that are made from the sender's: always short enough to be one."""

from __future__ import annotations

from hashlib import sha256
from pathlib import PurePosixPath

LONGEST_BYTES = 255
LONGEST_EXTENSION = 16


def fitted(name: str) -> str:
    """The name itself, or, where it is too long for a file system, its beginning with a hash of the whole.

    The same long name gives the same short one, and two long names give two.
    """
    if len(name.encode("utf-8", "surrogateescape")) <= LONGEST_BYTES:
        return name
    suffix = PurePosixPath(name).suffix
    extension = suffix if len(suffix.encode("utf-8", "surrogateescape")) <= LONGEST_EXTENSION else ""
    tail = f"~{sha256(name.encode('utf-8', 'surrogateescape')).hexdigest()[:8]}{extension}"
    kept = name.encode("utf-8", "surrogateescape")[: LONGEST_BYTES - len(tail.encode("utf-8", "surrogateescape"))]
    return kept.decode("utf-8", "ignore") + tail
