"""Unpacking: what kind of file it is, told by its first bytes, and the text inside, bounded and streamed."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from drbridge.checks.report import Limits
from drbridge.errors import BadInput, UnreadableFile

GZIP = b"\x1f\x8b"
ZIPS = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
PIECE = 1 << 20


def unpacked(chunks: Iterator[bytes], workdir: Path, limits: Limits) -> Iterator[bytes]:
    """The text of a file: as it is, or out of the one member of a gzip or zip.

    Raises:
        BadInput: it cannot be unpacked, or not within the limits.
    """
    head, rest = _peek(chunks, 4)
    if head.startswith(GZIP):
        yield from _plain(_bounded(_gunzip(rest), limits))
    elif head in ZIPS:
        yield from _plain(_bounded(_unzip(rest, workdir), limits))
    else:
        yield from rest


def _peek(chunks: Iterator[bytes], size: int) -> tuple[bytes, Iterator[bytes]]:
    """The first bytes, and all of it again."""
    taken = b""
    for chunk in chunks:
        taken += chunk
        if len(taken) >= size:
            break
    return taken[:size], chain([taken] if taken else [], chunks)


def _plain(chunks: Iterator[bytes]) -> Iterator[bytes]:
    head, rest = _peek(chunks, 4)
    if head.startswith(GZIP) or head in ZIPS:
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
            raise _broken(str(error)) from error
        _refuse_more(inflate.unused_data)
    if not inflate.eof:
        raise UnreadableFile("The gzip ends too early", fix="have it sent again", code="truncated")


def _refuse_more(data: bytes) -> None:
    if not data:
        return
    what = "a second member" if GZIP.startswith(data[:2]) else "something else"
    raise _not_one(f"The gzip holds {what} after its first member")


def _unzip(chunks: Iterator[bytes], workdir: Path) -> Iterator[bytes]:
    """A zip says at its end what it holds, so it is laid aside first."""
    path = workdir / "archive.zip"
    with path.open("wb") as file:
        file.writelines(chunks)
    try:
        with zipfile.ZipFile(path) as archive, archive.open(_only_member(archive)) as member:
            while piece := member.read(PIECE):
                yield piece
    except zipfile.BadZipFile as error:
        code = "broken_archive" if "CRC" in str(error) else "truncated"
        raise UnreadableFile(
            "The zip is damaged or ends too early", str(error), "have it sent again", code=code
        ) from error
    except EOFError as error:
        raise UnreadableFile("The zip ends too early", str(error), "have it sent again", code="truncated") from error
    except (zlib.error, NotImplementedError, RuntimeError, OverflowError, ValueError) as error:
        raise _broken(str(error)) from error
    finally:
        path.unlink(missing_ok=True)


def _only_member(archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    members = archive.infolist()
    if len(members) != 1 or members[0].is_dir():
        raise _not_one(f"The zip holds {len(members)} members, not one file")
    member = members[0]
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise _broken(f"compression method {member.compress_type}")
    if member.header_offset != 0 or _gap(archive, member) > 24:
        raise _not_one("The zip holds more than its directory lists")
    return member


def _gap(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> int:
    """Bytes between the end of the member and the directory: at most a data descriptor belongs there."""
    assert archive.fp is not None
    archive.fp.seek(26)
    sizes = archive.fp.read(4)
    names = int.from_bytes(sizes[:2], "little") + int.from_bytes(sizes[2:], "little")
    return archive.start_dir - (30 + names + member.compress_size)


def _not_one(what: str) -> BadInput:
    return UnreadableFile(what, fix="pack exactly one file", code="not_one_member")


def _broken(detail: str) -> BadInput:
    return UnreadableFile(
        "The archive is damaged or of a kind that is not read here", detail, "have it sent again as plain gzip or zip",
        code="broken_archive",
    )  # fmt: skip
