"""What the inbox says when it cannot take something: RFC 9457 problem details that name the field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi.responses import JSONResponse
from pydantic import ValidationError

MEDIA_TYPE = "application/problem+json"
MOST_ERRORS = 20

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "what happened, and the next step"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "code", "text"],
                "properties": {
                    "field": {"type": "string", "description": "where in the message, as in requests.0.programInfo"},
                    "code": {"type": "string"},
                    "text": {"type": "string"},
                },
            },
        },
    },
}


@dataclass
class Refused(Exception):
    """The request is answered with a problem.

    Attributes:
        detail: what happened and the next step; never a value of the message.
        errors: for each flaw where it is, a code, and words.
    """

    status: int
    detail: str
    errors: Sequence[Mapping[str, str]] = ()
    headers: Mapping[str, str] | None = None


def flaws(error: ValidationError, inside: str = "") -> list[dict[str, str]]:
    """The flaws of a message, each with the field it is in; what was sent there is not repeated."""
    found = error.errors(include_input=False, include_url=False, include_context=False)
    return [
        {
            "field": ".".join(str(step) for step in (inside, *each["loc"]) if step != "") or "message",
            "code": each["type"],
            "text": each["msg"].removeprefix("Value error, "),
        }
        for each in found[:MOST_ERRORS]
    ]


def as_response(refused: Refused) -> JSONResponse:
    """The problem document of a refusal."""
    body: dict[str, Any] = {
        "type": "about:blank", "title": HTTPStatus(refused.status).phrase, "status": refused.status,
        "detail": refused.detail,
    }  # fmt: skip
    if refused.errors:
        body["errors"] = list(refused.errors)
    return JSONResponse(body, refused.status, dict(refused.headers or {}), MEDIA_TYPE)
