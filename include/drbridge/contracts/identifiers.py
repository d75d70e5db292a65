"""Which columns and members hold the id of something that a person may ask for: `drbridge trace` finds by these."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

OTHER_NAMES = ("id", "nicid", "serialNo", "badgeNo", "stages")
SHARED = ("programId", "ProgramId", "headEndSystemId", "drmsInstanceId", "groupId")
"""Ids of what nearly every row or message belongs to: whoever asks for one of these asks for everything."""


def is_identifier(name: str) -> bool:
    """Whether a column of a file, or a member of a message, of this name holds such an id."""
    return (name.endswith("Id") or name in OTHER_NAMES) and name not in SHARED


def identifiers(value: Any, name: str = "", where: str = "") -> Iterator[tuple[str, str]]:
    """The path and the id of each member of a message that holds one, however deep: requests.0.assetInfo.nicId.

    Args:
        value: the message as JSON, or a part of it.
        name, where: the name and the path of that part.
    """
    if isinstance(value, dict):
        for inner, each in value.items():
            yield from identifiers(each, inner, f"{where}.{inner}" if where else inner)
    elif isinstance(value, list):
        for place, each in enumerate(value):
            yield from identifiers(each, name, f"{where}.{place}")
    elif isinstance(value, str) and value and is_identifier(name):
        yield where, value
