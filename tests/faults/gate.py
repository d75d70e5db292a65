"""A gate before real object storage: it counts what goes in, and lets not everything through."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from drbridge.ports import Connection
from tests.faults.passing_on import XML, Answer, PassingOn, refusal, standing_before

PART = re.compile(r"partNumber=(\d+)")


@dataclass(frozen=True)
class Refusal:
    """What the gate says in the store's stead.

    Attributes:
        status: 0 breaks the line without an answer.
    """

    status: int
    code: str = ""

    @property
    def body(self) -> bytes:
        return refusal(self.code)


Rule = Callable[[str, str, Mapping[str, str]], Refusal | None]


def open_to_all(_method: str, _path: str, _headers: Mapping[str, str]) -> Refusal | None:
    return None


@dataclass
class Gate:
    """The gate.

    Attributes:
        connection: leads through it.
        rule: told method, path and headers of each request; what it refuses does not go through.
        parts: numbers of the parts that went in.
    """

    connection: Connection
    rule: Rule = open_to_all
    parts: list[int] = field(default_factory=list)


def part_of(method: str, path: str) -> int:
    """The number of the part that a request brings; 0: it brings none."""
    found = PART.search(path)
    return int(found[1]) if found and method == "PUT" else 0


@contextmanager
def before(store: Connection) -> Iterator[Gate]:
    """Puts a gate before the store behind a connection."""
    gate = Gate(store)
    there = urlsplit(str(store.extra["endpoint_url"])).netloc
    handler = type("GateHandler", (_Handler,), {"gate": gate, "there": there})
    with standing_before(store, handler) as gate.connection:
        yield gate


class _Handler(PassingOn):
    """Passes a request on as it came: its signature covers the host that the client called."""

    gate: Gate
    there: str

    def replied(self, body: bytes) -> Answer | None:
        refused = self.gate.rule(self.command, self.path, self.headers)
        if refused is not None:
            return (refused.status, XML, refused.body) if refused.status else None
        if part := part_of(self.command, self.path):
            self.gate.parts.append(part)
        return self.asked(self.there, self.headers.items(), body)
