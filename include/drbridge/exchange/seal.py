"""The seal: a message's content can be read by those who hold the key, and by nobody who only has the database."""

from __future__ import annotations

import hmac
import json
import os
from base64 import urlsafe_b64decode
from functools import lru_cache
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from pydantic import ValidationError

from drbridge.contracts import KEPT, Message
from drbridge.errors import Misconfigured, NotKnownThere
from drbridge.ledger.database import home
from drbridge.ports import JsonValue

KEYS = "DRBRIDGE_SEAL_KEY"
MARKS = b"what messages name"
"""Makes of a sealing key one that only marks."""


class Seal:
    """Seals with the first key, opens with any: an old key stays behind the new one until its messages are gone."""

    def __init__(self, keys: str) -> None:
        try:
            every = [key.strip() for key in keys.split(",") if key.strip()]
            self._keys = MultiFernet([Fernet(key) for key in every])
            self._marking = [hmac.digest(urlsafe_b64decode(key), MARKS, "sha256") for key in every]
        except ValueError as error:
            raise Misconfigured(
                f"{KEYS} is no key", fix="make one with `drbridge inbox key`; several are separated by commas"
            ) from error

    def close(self, content: bytes) -> bytes:
        """The content, unreadable without the key."""
        return self._keys.encrypt(content)

    def mark(self, name: str) -> str:
        """What stands in the ledger for an id inside the seal: the same each time, told by nobody without the key."""
        return _mark(self._marking[0], name)

    def marks(self, name: str) -> list[str]:
        """The same by every key: older messages were marked with older keys."""
        return [_mark(key, name) for key in self._marking]

    def open(self, sealed: bytes) -> bytes:
        """The content.

        Raises:
            NotKnownThere: its time is over, and it was deleted.
            Misconfigured: it was sealed with a key we do not have.
        """
        if not sealed:
            raise NotKnownThere(
                "The content of this message was deleted, its time is over",
                fix="have its sender send it anew, under a new number; payload_days in systems.toml says how long "
                "contents are kept",
            )
        try:
            return self._keys.decrypt(sealed)
        except InvalidToken:
            raise Misconfigured(
                "A stored message was sealed with a key that is not here",
                fix=f"put the former key behind the present one in {KEYS}, with a comma between",
            ) from None


def _mark(key: bytes, name: str) -> str:
    return hmac.digest(key, name.encode("utf-8", "surrogatepass"), "sha256").hex()[:32]


def seal_here() -> Seal:
    """The seal by DRBRIDGE_SEAL_KEY; without it by a key made once beside the local ledger."""
    return _seal(os.environ.get(KEYS) or _local_key(home() / "seal.key"))


@lru_cache(maxsize=4)
def _seal(keys: str) -> Seal:
    return Seal(keys)


def new_key() -> str:
    """A fresh key."""
    return Fernet.generate_key().decode()


@lru_cache(maxsize=4)
def _local_key(file: Path) -> str:
    """The key in a file that only we may read; of several who make it at once, the first one's counts."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_name(f".{file.name}.{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_text(new_key())
        try:
            os.link(draft, file)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return file.read_text()


def content(seal: Seal, sealed: bytes) -> JsonValue:
    """A stored message as it was written.

    Raises:
        Misconfigured: it was sealed with a key we do not have.
        NotKnownThere: its time is over, and it was deleted.
    """
    told: JsonValue = json.loads(seal.open(sealed))
    return told


def opened(seal: Seal, noun: str, sealed: bytes) -> Message:
    """A stored message as it was accepted.

    Raises:
        Misconfigured: it was sealed with a key we do not have, or is not as this version has it agreed.
        NotKnownThere: its time is over, and its content was deleted.
    """
    written = seal.open(sealed)
    try:
        return KEPT[noun].model_validate_json(written)
    except ValidationError as error:
        flaws = error.errors(include_input=False, include_url=False, include_context=False)
        raise Misconfigured(
            f"A stored message of the kind {noun} is not as this version of drbridge reads it",
            detail=", ".join(f"{each['type']} in {'.'.join(map(str, each['loc'])) or 'the message'}" for each in flaws),
            fix="go back to the version that took it in, and have its messages delivered before the next change",
        ) from None
