"""A file that was posted to the inbox: which, and what its content hashes to."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from drbridge.contracts.fields import SentAt
from drbridge.contracts.message import Message

FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=200)]
"""A plain name: no folder, nothing that a shell or a listing would read otherwise."""


class PostedFile(Message):
    """A file without a message around it; its name is its number."""

    noun: ClassVar[str] = "posted_file"
    title: ClassVar[str] = "Posted file"

    contract: str
    name: FileName
    sha256: Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
    bytes: Annotated[int, Field(ge=0)]
    sent_at: SentAt

    @property
    def number(self) -> str:
        return f"{self.contract}/{self.name}"

    @property
    def happened_at(self) -> datetime:
        return self.sent_at
