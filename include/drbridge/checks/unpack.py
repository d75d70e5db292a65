"""Unpacking: what kind of file it is, told by its first bytes, and the text inside, bounded and streamed."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from drbridge.checks.archives import PIECE, broken, not_one, truncated
from drbridge.checks.report import Limits
from drbridge.checks.unzip import unzip
from drbridge.errors import UnreadableFile

GZIP = b"\x1f\x8b"
ZIPS = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")


def is_packed(head: bytes) -> bool:
    """Whether a file that starts with these four bytes has its text inside of a gzip or zip."""
    return head.startswith(GZIP) or head in ZIPS


def unpacked(chunks: Iterator[bytes], workdir: Path, limits: Limits) -> Iterator[bytes]:
    """The text of a file: as it is, or out of the one member of a gzip or zip.

    Raises:
        BadInput: it cannot be unpacked, or not within the limits.
    """
    head, rest = peek(chunks, 4)
    if head.startswith(GZIP):
        yield from _plain(_bounded(_gunzip(rest), limits))
    elif head in ZIPS:
        yield from _plain(_bounded(unzip(rest, workdir), limits))
    else:
        yield from rest


def peek(chunks: Iterator[bytes], size: int) -> tuple[bytes, Iterator[bytes]]:
    """The first bytes, and all of it again."""
    taken = b""
    for chunk in chunks:
        taken += chunk
        if len(taken) >= size:
            break
    return taken[:size], chain([taken] if taken else [], chunks)


def _plain(chunks: Iterator[bytes]) -> Iterator[bytes]:
    head, rest = peek(chunks, 4)
    if is_packed(head):
        raise UnreadableFile(
            "The archive holds another archive", fix="pack the file once, or not at all", code="nested_archive"
        )
    yield from rest


def _bounded(chunks: Iterator[bytes], limits: Limits) -> Iterator[bytes]:
    total = 0
    for chunk in chunks:
        total += len(chunk)
        if total > limits.max_unpacked_bytes:
            raise UnreadableFile(
                f"The file grows past {limits.max_unpacked_bytes:,} bytes when unpacked",
                fix="send it in smaller files, or raise max_unpacked_bytes in systems.toml",
                code="unpacks_too_large",
            )
        yield chunk


def _gunzip(chunks: Iterator[bytes]) -> Iterator[bytes]:
    inflate = zlib.decompressobj(wbits=31)
    for chunk in chunks:
        if inflate.eof:
            _refuse_more(inflate.unused_data + chunk)
        try:
            piece = inflate.decompress(chunk, PIECE)
            while piece:
                yield piece
                piece = inflate.decompress(inflate.unconsumed_tail, PIECE)
        except zlib.error as error:
            raise broken(str(error)) from error
        _refuse_more(inflate.unused_data)
    if not inflate.eof:
        raise truncated("gzip")


def _refuse_more(data: bytes) -> None:
    if not data:
        return
    what = "a second member" if GZIP.startswith(data[:2]) else "something else"
    raise not_one(f"The gzip holds {what} after its first member")
