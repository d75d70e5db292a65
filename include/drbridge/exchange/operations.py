"""The REST operations of the other systems: how each request is built from staged rows and how its answer reads.

An endpoint in `systems.toml` names one of these; the field names are those the other side publishes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

from drbridge.contracts import enrollment_ack, event_outcome
from drbridge.errors import Misconfigured
from drbridge.exchange.staging import Need
from drbridge.ports import JsonValue, Reply
from drbridge.systems import Endpoint, Site

Fields = Mapping[str, str | None]
Shape = Literal["file", "chunk", "row", "answer"]

_PAGE = re.compile(rb"\A(\xef\xbb\xbf)?\s*(<\?xml[^>]*>\s*)?<(!doctype\s+)?html\b", re.IGNORECASE)


@dataclass(frozen=True)
class Answer:
    """What a 2xx reply says: whether it is an answer at all, and the reason if it refuses after all."""

    is_answer: bool
    refusal: str = ""


@dataclass(frozen=True)
class Operation:
    """One REST operation.

    Attributes:
        shape: what one request carries: the whole file as an attachment, a chunk of rows, one row, or an answer.
        body: builds the JSON body from the fields of the rows (chunk, row).
        done_words: words in a refusal that mean that the target has it already.
        names_a_resource: the path names a record, so that 404 speaks of the record and not of our settings.
    """

    name: str
    shape: Shape
    body: Callable[[Sequence[Fields], Site], JsonValue] | None = None
    done_words: tuple[str, ...] = ()
    names_a_resource: bool = False

    @property
    def can_split(self) -> bool:
        return self.shape == "chunk"

    @property
    def need(self) -> Need:
        return Need(raw=self.shape == "file", fields=self.shape in ("chunk", "row"))

    def path(self, template: str, rows: Sequence[Fields]) -> str:
        """The path with the names in braces filled in from the row."""
        if "{" not in template:
            return template
        return template.format_map({name: quote(value or "", safe="") for name, value in rows[0].items()})

    def is_already_done(self, body: bytes) -> bool:
        """Whether a refusal means that the target has it already: judged by its message, never by echoed data."""
        text = self.reason(body).lower()
        return any(word in text for word in self.done_words)

    def reason(self, body: bytes) -> str:
        """The target's own words for a refusal, shortened; never the whole body, which may name customers."""
        data = _json(body)
        if isinstance(data, dict):
            found = _find(data, ("detail", "message", "messageText", "comments", "title", "error"))
            return found[:254]
        return ""

    def read_answer(self, reply: Reply) -> Answer:
        """Reads a 2xx reply. An empty body is an answer; a page for humans is none; an error inside is a refusal.

        A file is taken with 200 or 202, whatever else the body says; other operations answer in JSON.
        """
        if not reply.body.strip():
            return Answer(True)
        if _is_page(reply):
            return Answer(False)
        data = _json(reply.body)
        if isinstance(data, dict) and _says_error(data):
            return Answer(True, self.reason(reply.body) or "it answered 2xx with an error inside")
        return Answer(isinstance(data, dict | list) or (self.shape == "file" and reply.status in (200, 202)))


def _is_page(reply: Reply) -> bool:
    kind = next((text for name, text in reply.headers.items() if name.lower() == "content-type"), "")
    return kind.strip().lower().startswith("text/html") or _PAGE.match(reply.body) is not None


def _json(body: bytes) -> JsonValue:
    try:
        value: JsonValue = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value


def _find(data: Mapping[str, JsonValue], names: Sequence[str]) -> str:
    """The first text under one of the names, the outermost first; nothing recurses, however deep a reply is nested."""
    objects = [data]
    for each in objects:
        for name in names:
            value = each.get(name)
            if isinstance(value, str) and value:
                return value
        objects += [value for value in each.values() if isinstance(value, dict)]
    return ""


def _says_error(data: Mapping[str, JsonValue]) -> bool:
    if any(data.get(name) for name in ("error", "errors", "hasError", "problemDetailDocument")):
        return True
    status = data.get("status")
    return isinstance(status, str) and status.upper() in ("ERROR", "FAILURE", "FAILED")


def _outcomes(rows: Sequence[Fields], site: Site) -> JsonValue:
    return event_outcome.to_post_outcome_list(rows, site.program_event_key)


def _sync_request(rows: Sequence[Fields], site: Site) -> JsonValue:
    return enrollment_ack.to_update_sync_request(rows[0], site.default_message_category)


OPERATIONS = {
    operation.name: operation
    for operation in (
        Operation("device_score_file", "file"),
        Operation("load_forecast_file", "file"),
        Operation("customer_file", "file"),
        Operation(
            "update_sync_request", "row", _sync_request, done_words=("duplicate", "already"), names_a_resource=True
        ),
        Operation("post_event_outcome", "chunk", _outcomes),
        Operation("acknowledge", "answer", done_words=("duplicate", "already")),
    )
}


def operation_of(endpoint: Endpoint) -> Operation:
    """The operation an endpoint names.

    Raises:
        Misconfigured: there is none of that name, or it cannot be asked what became of a request.
    """
    operation = OPERATIONS.get(endpoint.operation)
    if operation is None:
        raise Misconfigured(
            f"Endpoint {endpoint.name} names the operation {endpoint.operation}, which is unknown",
            fix=f"use one of {', '.join(OPERATIONS)} in systems.toml",
        )
    if endpoint.unknown == "query":
        raise Misconfigured(
            f"Endpoint {endpoint.name} cannot be asked what became of a request",
            fix='set unknown = "park" in systems.toml, or "resend" if it knows a repeated record by its own key',
        )
    return operation
