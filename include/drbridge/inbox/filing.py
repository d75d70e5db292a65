"""Laying posted files down for the flow that takes them, before their message is written down."""

from __future__ import annotations

from contextlib import suppress
from hashlib import sha256
from typing import BinaryIO

from pydantic import TypeAdapter, ValidationError

from drbridge.contracts.device_reservation import DeviceReservation
from drbridge.contracts.posted_file import FileName
from drbridge.exchange.accept import Post, is_known
from drbridge.exchange.desk import Desk
from drbridge.inbox.paths import Door
from drbridge.inbox.problems import Refused
from drbridge.ports import AlreadyThere
from drbridge.systems import Flow

CHUNK_BYTES = 1 << 20
_NAME: TypeAdapter[str] = TypeAdapter(FileName)


def flows_of(desk: Desk, door: Door) -> list[Flow]:
    """The switched-on flows that take what comes in at a door.

    Raises:
        Refused: none does in this release.
    """
    if door.folder:
        place = f"inbox://{door.folder}"
        flows = [flow for flow in desk.systems.flows.values() if place in flow.source.split()]
        found = [flow for flow in flows if desk.systems.is_on(flow)]
    else:
        found = desk.systems.flows_of_message(door.noun)
    if not found:
        raise Refused(404, f"No flow takes {door.noun} in this release: see the profile in systems.toml")
    return found


def name_of(post: Post) -> str:
    """The name under which the file of a message lies in the inbox: one for each message."""
    return f"RESERVE_{post.number}.csv"


def plain_name(name: str, flows: list[Flow]) -> str:
    """The name of a posted file, if it is plain and one that the flows take.

    Raises:
        Refused: it is not.
    """
    try:
        plain = _NAME.validate_python(name)
    except ValidationError:
        raise _bad_name("letters, digits, dots, dashes and underscores only, at most 200") from None
    if not any(flow.noun_of(plain) for flow in flows):
        prefixes = sorted({prefix for flow in flows for prefix in flow.prefixes})
        raise _bad_name(f"it begins with {' or '.join(prefixes)}")
    return plain


def _bad_name(rule: str) -> Refused:
    error = {"field": "file", "code": "file_name", "text": rule}
    return Refused(422, f"The file's name cannot be used: {rule}", [error])


def measure(file: BinaryIO) -> tuple[str, int]:
    """Hash and size of a file that was posted."""
    file.seek(0)
    digest, size = sha256(), 0
    while chunk := file.read(CHUNK_BYTES):
        digest.update(chunk)
        size += len(chunk)
    return digest.hexdigest(), size


def lay_down(desk: Desk, door: Door, post: Post, file: BinaryIO) -> None:
    """Puts the file into the inbox's folder, whole and safe; one that lies there is left as it is.

    A file whose message is not written down after all is found by its flow all the same and goes: nothing is lost. One
    that came before is not laid down again.

    Raises:
        Refused: its content is not what its message says.
    """
    digest, size = measure(file)
    if isinstance(post.message, DeviceReservation) and post.message.file.sha256 != digest:
        error = {"field": "message.file.sha256", "code": "other_content", "text": "not the hash of the part 'file'"}
        raise Refused(422, "The file is not the one that the message speaks of: send both again", [error])
    if is_known(desk, post):
        return
    store = desk.outside.store(f"inbox://{door.folder}")
    with store.upload(post.file_name, size) as upload:
        file.seek(0)
        while chunk := file.read(CHUNK_BYTES):
            upload.write(chunk)
        with suppress(AlreadyThere):  # the same message once more, or another under its number: the ledger knows
            upload.complete(digest)
