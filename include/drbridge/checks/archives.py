"""What is said of every kind of archive that is refused."""

from __future__ import annotations

from drbridge.errors import BadInput, UnreadableFile

PIECE = 1 << 20


def not_one(what: str) -> BadInput:
    """The archive does not hold exactly one file."""
    return UnreadableFile(what, fix="pack exactly one file", code="not_one_member")


def truncated(kind: str, detail: str = "") -> BadInput:
    """The archive ends before its end."""
    return UnreadableFile(f"The {kind} ends too early", detail, "have it sent again", code="truncated")


def broken(detail: str) -> BadInput:
    """The archive cannot be read."""
    return UnreadableFile(
        "The archive is damaged or of a kind that is not read here", detail, "have it sent again as plain gzip or zip",
        code="broken_archive",
    )  # fmt: skip
