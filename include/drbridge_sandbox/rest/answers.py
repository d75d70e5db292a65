"""What the services answer, and the shape of their refusals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

PROBLEM_TYPE = "https://sandbox.invalid/problems/"


@dataclass(frozen=True)
class Answer:
    """One reply of a service: status, JSON body, headers, and how many rows it took."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)
    rows: int = 0


class Refused(Exception):
    """A request the service refuses, with its reason.

    Args:
        status: the HTTP status of the refusal.
        detail: one sentence a person can act on.
        messages: what is wrong, item by item.
        headers: sent with the refusal.
        number: of the message in the product's message table, where it is published.
    """

    def __init__(
        self, status: int, detail: str, messages: Sequence[str] = (), headers: Mapping[str, str] | None = None,
        number: int | None = None,
    ) -> None:  # fmt: skip
        super().__init__(detail)
        self.status, self.detail, self.messages, self.headers = status, detail, tuple(messages), headers or {}
        self.number = number

    @property
    def answer(self) -> Answer:
        return Answer(self.status, problem(self.status, self.detail, self.messages, self.number), self.headers)


def problem(status: int, detail: str, messages: Sequence[str] = (), number: int | None = None) -> dict[str, Any]:
    """The problemDetailDocument of a refusal; at most 100 messages are named."""
    document: dict[str, Any] = {
        "type": f"{PROBLEM_TYPE}{status}", "title": TITLES.get(status, "Refused"), "httpStatus": status,
        "detail": detail,
    }  # fmt: skip
    if number is not None:
        document["serverMessage"] = [{"sequence": 1, "messageNumber": number, "messageText": detail}]
    elif messages:
        document["serverMessage"] = [
            {"sequence": place, "messageText": text} for place, text in enumerate(messages[:100], 1)
        ]
    return {"problemDetailDocument": document}


TITLES = {
    400: "Invalid request",
    401: "Not authenticated",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    413: "Too large",
    415: "Unsupported media type",
    422: "Idempotency key used for another request",
}
