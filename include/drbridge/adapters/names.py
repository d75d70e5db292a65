"""File names: which are refused, which are ours and hidden, and how odd bytes in them survive."""

from __future__ import annotations

import codecs
import re
import secrets

from drbridge.errors import BadInput

LONGEST_NAME_BYTES = 255
HIDDEN_PREFIX = ".drbridge-"

# A byte that is no UTF-8 is shown as one of these 256 characters of a private plane and turned back on the way out.
_ODD_BYTES = 0x10FE00
_ODD = re.compile(f"[{chr(_ODD_BYTES)}-{chr(_ODD_BYTES + 0xFF)}]")


def check_name(name: str) -> str:
    """Gives the name back when it is a plain file name that cannot leave its folder.

    Raises:
        BadInput: it is empty, a path, or longer than file systems take.
    """
    if not _is_plain(name):
        raise BadInput(f"{name!r} is no file name", fix="give a plain name, not a path", code="hostile_name")
    if len(to_bytes(name)) > LONGEST_NAME_BYTES:
        raise BadInput(
            f"{name[:40]!r}... is longer than {LONGEST_NAME_BYTES} bytes", fix="shorten it", code="long_name"
        )
    return name


def is_file_name(name: str) -> bool:
    """Whether a listed name is one that we would take: not hidden by us, and no path."""
    return not name.startswith(HIDDEN_PREFIX) and _is_plain(name)


def _is_plain(name: str) -> bool:
    """No path on any system: some servers take a backslash for a slash."""
    return name not in ("", ".", "..") and not any(letter in name for letter in "/\\\0")


def hidden_name(name: str) -> str:
    """A name for a file on its way: nobody else has it, listings of ours leave it out, and it is not too long."""
    start = f"{HIDDEN_PREFIX}{secrets.token_hex(8)}-"
    return start + to_bytes(name)[: LONGEST_NAME_BYTES - len(start)].decode("utf-8", "ignore")


def from_bytes(raw: bytes) -> str:
    """A name as the other side's bytes spell it; any bytes at all give a text that can be stored and sent."""
    return raw.decode("utf-8", "drbridge_odd")


def to_bytes(name: str) -> bytes:
    """The bytes that `from_bytes` was given, or the name's UTF-8."""
    pieces, start = [], 0
    for odd in _ODD.finditer(name):
        pieces += [name[start : odd.start()].encode("utf-8"), bytes([ord(odd.group()) - _ODD_BYTES])]
        start = odd.end()
    return b"".join([*pieces, name[start:].encode("utf-8")])


def _show_odd_bytes(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    odd = error.object[error.start : error.end]
    return "".join(chr(_ODD_BYTES + byte) for byte in odd), error.end


codecs.register_error("drbridge_odd", _show_odd_bytes)
