"""Files whose turn has not come: those behind others of their load, and those whose control record is not there."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from contextlib import suppress

from drbridge.contracts.control_record import LONGEST_BYTES
from drbridge.errors import Unstable
from drbridge.ports import AlreadyThere, FileStore
from drbridge.systems import Flow


def behind(flow: Flow, names: Iterable[str], undelivered: Iterable[str]) -> dict[str, str]:
    """Those of the files that may not overtake another one, each with what it waits for.

    Args:
        undelivered: the files in the source that the flow has yet to deliver.
    """
    first = {flow.prefix_of(name): name for name in sorted(undelivered, reverse=True)}
    found = {}
    for name in names:
        if earlier := next((first[prefix] for prefix in flow.goes_after(name) if prefix in first), None):
            found[name] = f"{name} waits until {earlier} is delivered"
    return found


def without_record(flow: Flow, name: str, every_name: Collection[str]) -> str:
    """Says that a file's control record is not there yet; nothing when it is, or none is agreed."""
    if not flow.control_record or name + flow.control_record in every_name:
        return ""
    return f"{name} waits for its control record {name}{flow.control_record}"


def control_record(flow: Flow, source: FileStore, name: str) -> bytes | None:
    """The control record beside a file, of what is too long its beginning; None where none is agreed.

    Raises:
        RetryLater: it has gone since the file was seen, or is still changing.
    """
    if not flow.control_record:
        return None
    data = b""
    with source.open(name + flow.control_record) as chunks:
        for chunk in chunks:
            data += chunk
            if len(data) > LONGEST_BYTES:
                break
    return data


def move_record(flow: Flow, source: FileStore, old: str, new: str) -> None:
    """Renames a file's control record as the file is renamed; one that lies under the new name already stays."""
    if flow.control_record:
        with suppress(Unstable, AlreadyThere):
            source.rename(old + flow.control_record, new + flow.control_record)
