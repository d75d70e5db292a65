"""Reading the one file in a zip; what its end says is judged before its directory is loaded."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from drbridge.checks.archives import PIECE, broken, not_one, truncated

MARK = b"PK\5\6"
END = struct.Struct("<4s4H2LH")
END_64 = struct.Struct("<4sQ2H2L4Q")
LOCATOR_64, MARK_OF_LOCATOR_64 = 20, b"PK\6\7"
LARGEST_DIRECTORY = 46 + 3 * 0xFFFF


def unzip(chunks: Iterator[bytes], workdir: Path) -> Iterator[bytes]:
    """The text in a zip. A zip says at its end what it holds, so it is laid aside first.

    Raises:
        BadInput: it is damaged, or does not hold exactly one file and nothing else.
    """
    path = workdir / "archive.zip"
    try:
        with path.open("w+b") as file:
            _judge_end(file, _lay_aside(chunks, file))
        with zipfile.ZipFile(path) as archive, archive.open(_only_member(archive)) as member:
            while piece := member.read(PIECE):
                yield piece
    except (zipfile.BadZipFile, EOFError) as error:
        raise broken(str(error)) if "CRC" in str(error) else truncated("zip", str(error)) from error
    except (zlib.error, NotImplementedError, RuntimeError, OverflowError, ValueError) as error:
        raise broken(str(error)) from error
    finally:
        path.unlink(missing_ok=True)


def _lay_aside(chunks: Iterator[bytes], file: IO[bytes]) -> int:
    """Writes a zip down, and says where the last mark of an end in it stands, or -1."""
    found, size, seam = -1, 0, b""
    for chunk in chunks:
        file.write(chunk)
        known = len(seam)
        seam += chunk
        if (at := seam.rfind(MARK)) >= 0:
            found = size - known + at
        size += len(chunk)
        seam = seam[1 - len(MARK) :]
    return found


def _judge_end(file: IO[bytes], at: int) -> None:
    """Refuses a zip whose end does not say that there is one file, and nothing else, in it."""
    size = file.tell()
    if at < 0 or at + END.size > size:
        raise truncated("zip")
    _, _, _, _, count, length, start, comment = END.unpack(_at(file, at, END.size))
    if at + END.size + comment > size:
        raise truncated("zip")
    if at + END.size + comment < size:
        raise not_one("The zip is followed by something else")
    if at >= END_64.size + LOCATOR_64 and _at(file, at - LOCATOR_64, 4) == MARK_OF_LOCATOR_64:
        at -= END_64.size + LOCATOR_64
        *_, count, length, start = END_64.unpack(_at(file, at, END_64.size))
    if count != 1:
        raise not_one(f"The zip lists {count:,} members, not one file")
    if start + length != at or length > LARGEST_DIRECTORY:
        raise not_one("The zip holds more than its directory lists")


def _at(file: IO[bytes], where: int, size: int) -> bytes:
    file.seek(where)
    return file.read(size)


def _only_member(archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    members = archive.infolist()
    if len(members) != 1 or members[0].is_dir():
        raise not_one(f"The zip holds {len(members):,} members, not one file")
    member = members[0]
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise broken(f"compression method {member.compress_type}")
    if member.header_offset != 0 or _gap(archive, member) > 24:
        raise not_one("The zip holds more than its directory lists")
    return member


def _gap(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> int:
    """Bytes between the end of the member and the directory: at most a data descriptor belongs there."""
    assert archive.fp is not None
    archive.fp.seek(26)
    sizes = archive.fp.read(4)
    names = int.from_bytes(sizes[:2], "little") + int.from_bytes(sizes[2:], "little")
    return archive.start_dir - (30 + names + member.compress_size)
