"""The REST operations of the other systems: how each request is built and how its answer reads.

An endpoint in `systems.toml` names one of these; the field names are those the other side publishes.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from string import Formatter
from typing import Literal
from urllib.parse import quote

from pydantic_core import from_json

from drbridge.contracts import Message
from drbridge.errors import Misconfigured
from drbridge.exchange.acks import Told
from drbridge.exchange.staging import Need
from drbridge.ports import JsonValue, Reply
from drbridge.systems import Site

Fields = Mapping[str, str | None]
Shape = Literal["file", "chunk", "row", "message", "answer"]

ACCEPTED = 202
LONGEST_REASON = 254
REFUSING = ("ERROR", "FAILURE", "FAILED", "VAL-ERROR")
MESSAGE_NUMBERS_OF_DONE = frozenset({10589})  # "already exists" (guide for configuration, error table)

LONGEST_NUMBER = 12

_PAGE = re.compile(rb"\A(\xef\xbb\xbf)?\s*(<\?xml[^>]*>\s*)?<(!doctype\s+)?html\b", re.IGNORECASE)


@dataclass(frozen=True)
class Answer:
    """What a 2xx reply says: whether it is an answer at all, the reason if it refuses after all, and whether its yes or
    no comes later, as a message of its own."""

    is_answer: bool
    refusal: str = ""
    comes_later: bool = False


@dataclass(frozen=True)
class Address:
    """A request made from a message: its body, and what stands in its path.

    Attributes:
        suffix: put behind the endpoint's path.
        names: what the names in braces of the endpoint's path stand for.
    """

    body: JsonValue
    suffix: str = ""
    names: Fields = field(default_factory=dict)


@dataclass(frozen=True)
class Asking:
    """How the other side is asked whether it has had a request.

    Attributes:
        suffix: of the path to ask at, put behind the endpoint's path.
        says_no: whether a 2xx reply says that it has not had it; it is given what the request would have reached.
    """

    suffix: Callable[[Message, int, Site], str]
    says_no: Callable[[Reply, str], bool]


@dataclass(frozen=True)
class Operation:
    """One REST operation.

    Attributes:
        shape: what one request carries: the whole file as an attachment, a chunk of rows, one row, a part of a message,
            or an answer.
        body: builds the JSON body from the fields of the rows (chunk, row).
        enveloped: builds the JSON body from the rows of a file and the message that it came with.
        health: the path of the target's health check: nothing is sent before it has said that all is well.
        message: builds the request from a part of a message.
        answer: builds the answer to a message; without it an acknowledgement is sent.
        done_words: words in a refusal that mean that the target has it already.
        names_a_resource: the request names a record, so that 404 speaks of the record and not of our settings.
        asking: how the target is asked whether it has had a request, where it can be.
        id_member: the member of a reply that holds the target's id of a new record: our answer passes it on.
        verdict_later_with: with these HTTP statuses it says only that it has the request: unless a refusal is inside,
            the yes or no is still to come, as a message of its own.
    """

    name: str
    shape: Shape
    body: Callable[[Sequence[Fields], Site], JsonValue] | None = None
    enveloped: Callable[[Message, Sequence[Fields], Site], JsonValue] | None = None
    health: str = ""
    message: Callable[[Message, int, Site], Address] | None = None
    answer: Callable[[Told, Site], Address] | None = None
    done_words: tuple[str, ...] = ()
    names_a_resource: bool = False
    asking: Asking | None = None
    id_member: str = ""
    verdict_later_with: tuple[int, ...] = ()

    @property
    def can_split(self) -> bool:
        return self.shape == "chunk"

    @property
    def need(self) -> Need:
        return Need(raw=self.shape == "file", fields=self.shape in ("chunk", "row"))

    def path(self, template: str, names: Fields) -> str:
        """The path with the names in braces filled in."""
        if "{" not in template:
            return template
        try:
            return template.format_map({name: quote(names[name] or "", safe="") for name in _named_in(template)})
        except KeyError as error:
            raise Misconfigured(
                f"The path {template} names {error}, which what is sent does not have",
                fix="compare the endpoint in systems.toml with the columns of the file",
            ) from None

    def kept(self, body: bytes) -> str | None:
        """The target's id of a new record, from its reply."""
        data = read_json(body) if self.id_member else None
        return _find(data, (self.id_member,)) if isinstance(data, dict) else None

    def is_already_done(self, body: bytes) -> bool:
        """Whether a refusal means that the target has it already: judged by its message, never by echoed data."""
        text = self.reason(body)[:LONGEST_REASON].lower()
        if MESSAGE_NUMBERS_OF_DONE & _numbers(read_json(body)):
            return True
        return any(word in text for word in self.done_words)

    def reason(self, body: bytes) -> str:
        """The target's own words for a refusal. They may quote what it was sent: scrub them before they are kept."""
        data = read_json(body)
        if isinstance(data, dict):
            return _find(data, ("detail", "message", "messageText", "comments", "value", "title", "error"))
        return ""

    def read_answer(self, reply: Reply) -> Answer:
        """Reads a 2xx reply. An empty body is an answer; a page for humans is none; an error inside is a refusal.

        A file is taken with 200 or 202, whatever else the body says; other operations answer in JSON.
        """
        comes_later = reply.status in self.verdict_later_with
        if not reply.body.strip():
            return Answer(True, comes_later=comes_later)
        if _is_page(reply):
            return Answer(False)
        data = read_json(reply.body)
        if isinstance(data, dict) and _says_error(data):
            if MESSAGE_NUMBERS_OF_DONE & _numbers(data):
                return Answer(True)
            return Answer(True, self.reason(reply.body) or "it answered 2xx with an error inside")
        is_file_taken = self.shape == "file" and reply.status in (200, ACCEPTED)
        return Answer(isinstance(data, dict | list) or is_file_taken, comes_later=comes_later)


def _is_page(reply: Reply) -> bool:
    kind = reply.headers.get("content-type", "")
    return kind.strip().lower().startswith("text/html") or _PAGE.match(reply.body) is not None


def read_json(body: bytes) -> JsonValue:
    """A reply's JSON; None when it is none.

    The second reader takes ten times as long, and knows what the first does not: other encodings, half characters.
    """
    for read in (from_json, json.loads):
        with suppress(ValueError, RecursionError):
            value: JsonValue = read(body)
            return value
    return None


def _find(data: dict[str, JsonValue], names: Sequence[str]) -> str:
    """The first text under one of the names, the outermost first."""
    found = (each.get(name) for each in _objects(data) for name in names)
    return next((value for value in found if isinstance(value, str) and value), "")


def _numbers(data: JsonValue) -> set[int]:
    """The message numbers in a reply, wherever it names them."""
    found = [str(each.get("messageNumber")) for each in _objects(data)]
    return {int(number) for number in found if number.isascii() and number.isdigit() and len(number) < LONGEST_NUMBER}


@lru_cache
def _named_in(template: str) -> frozenset[str]:
    """The names in braces."""
    return frozenset(name for _, name, _, _ in Formatter().parse(template) if name)


def _objects(data: JsonValue) -> Iterator[dict[str, JsonValue]]:
    """All objects of a reply, the outermost first; nothing recurses, however deep it is nested."""
    values = deque([data])
    while values:
        value = values.popleft()
        if isinstance(value, dict):
            yield value
        if isinstance(value, dict | list):
            values.extend(value.values() if isinstance(value, dict) else value)


def _says_error(data: Mapping[str, JsonValue]) -> bool:
    if any(data.get(name) for name in ("error", "errors", "hasError", "problemDetailDocument")):
        return True
    frame = data.get("MsgAck")
    words = (data.get("status"), data.get("ackType"), frame.get("ackType") if isinstance(frame, dict) else None)
    return any(isinstance(word, str) and word.upper() in REFUSING for word in words)
