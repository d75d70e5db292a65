"""Laying posted files down for the flow that takes them, before their message is written down."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import BinaryIO, Self

from pydantic import TypeAdapter, ValidationError

from drbridge.contracts.device_reservation import DeviceReservation
from drbridge.contracts.posted_file import FileName
from drbridge.exchange.accept import Post, is_known
from drbridge.exchange.desk import Desk
from drbridge.inbox.paths import Door
from drbridge.inbox.problems import Refused, number_taken
from drbridge.ports import AlreadyThere, FileStore
from drbridge.systems import Flow

CHUNK_BYTES = 1 << 20
_NAME: TypeAdapter[str] = TypeAdapter(FileName)


@dataclass(frozen=True, slots=True)
class Attached:
    """A file that was posted, with the hash and the size of what came."""

    file: BinaryIO
    sha256: str
    bytes: int

    @classmethod
    def of(cls, file: BinaryIO) -> Self:
        """Measures it."""
        digest, size = sha256(), 0
        for chunk in _chunks(file):
            digest.update(chunk)
            size += len(chunk)
        return cls(file, digest.hexdigest(), size)


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


def plain_name(desk: Desk, name: str, flows: list[Flow]) -> str:
    """The name of a posted file, if it is plain and one that the flows take.

    Raises:
        Refused: it is not.
    """
    try:
        plain = _NAME.validate_python(name)
    except ValidationError:
        raise _bad_name("letters, digits, dots, dashes and underscores only, at most 200") from None
    if not any(desk.systems.takes(flow, plain) for flow in flows):
        prefixes = sorted({prefix for flow in flows for prefix in flow.prefixes})
        raise _bad_name(f"it begins with {' or '.join(prefixes)}, and does not end as marks and lists of rejects do")
    return plain


def _bad_name(rule: str) -> Refused:
    error = {"field": "file", "code": "file_name", "text": rule}
    return Refused(422, f"The file's name cannot be used: {rule}", [error])


def lay_down(desk: Desk, door: Door, post: Post, attached: Attached) -> None:
    """Puts the file into the inbox's folder, whole and safe, unless it lies there or its message is known.

    A file whose message is not written down after all is found by its flow all the same and goes: nothing is lost.

    Raises:
        Refused: its content is not what its message says, or another lies there under its name.
    """
    if isinstance(post.message, DeviceReservation) and post.message.file.sha256 != attached.sha256:
        error = {"field": "message.file.sha256", "code": "other_content", "text": "not the hash of the part 'file'"}
        raise Refused(422, "The file is not the one that the message speaks of: send both again", [error])
    if is_known(desk, post):
        return
    store = desk.outside.store(f"inbox://{door.folder}")
    with store.upload(post.file_name, attached.bytes) as upload:
        for chunk in _chunks(attached.file):
            upload.write(chunk)
        try:
            upload.complete(attached.sha256)
        except AlreadyThere:
            if _hash_of(store, post.file_name) != attached.sha256:
                raise number_taken() from None


def _hash_of(store: FileStore, name: str) -> str:
    digest = sha256()
    with store.open(name) as chunks:
        for chunk in chunks:
            digest.update(chunk)
    return digest.hexdigest()


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    file.seek(0)
    while chunk := file.read(CHUNK_BYTES):
        yield chunk
