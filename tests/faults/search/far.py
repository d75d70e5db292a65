"""The other side as the search knows it: what took effect there, in which order, by which key."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any

from drbridge.ports import Call, Lost, NotSent, Reply

Answer = Reply | NotSent | Lost

ANSWERS, BEFORE, AFTER, REFUSES, UNSENT, BUSY = (
    "acts and is answered", "is lost before acting", "is lost after acting", "is refused", "never leaves", "gets a 503",
)  # fmt: skip
CHUNK = "postOutcomeList"
FAULTS_OF_WRITING = (BEFORE, AFTER, REFUSES, UNSENT, BUSY)
FAULTS_OF_ASKING = (BEFORE, UNSENT)


class Wire:
    """A REST target whose calls wait until the search says what comes of them."""

    async def call(self, call: Call) -> Reply:
        return await _Asked(call)

    async def close(self) -> None:
        pass


class _Asked:
    def __init__(self, call: Call) -> None:
        self.call = call

    def __await__(self) -> Generator[Call, Reply, Reply]:
        return (yield self.call)


def meanings(call: Call) -> tuple[str, ...]:
    """What a request asks for, whatever key it carries: one word for each row; two that are alike are a repetition."""
    body: Any = call.json
    rows = body.get(CHUNK, [body])
    return tuple(hashlib.sha256(f"{call.path}|{json.dumps(row)}".encode()).hexdigest()[:12] for row in rows)


@dataclass(frozen=True)
class Far:
    """The other side's memory; a step makes a new one of it.

    Attributes:
        knows_keys: a request whose key it has had changes nothing (policy `resend`).
        reaches: how far a stage comes by what takes effect: meaning -> path it is asked at, status.
        effects: meanings in the order in which they took effect.
        keys: of the requests that took effect, in that order.
        calls: how many requests were sent to it.
    """

    knows_keys: bool
    reaches: dict[str, tuple[str, str]]
    effects: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    calls: int = 0

    def takes(self, call: Call, what: str) -> tuple[Far, Answer]:
        """What a request comes to, and what its sender hears."""
        far = replace(self, calls=self.calls + 1)
        if what == UNSENT:
            return far, NotSent("never left")
        if what == BEFORE:
            return far, Lost("no answer")
        if what == BUSY:
            return far, Reply(503, {}, b"", 0.0)
        if what == REFUSES:
            return far, Reply(400, {}, b'{"message": "not wanted"}', 0.0)
        if call.is_read:
            return far, far._tells(call)
        far = far._acts(call)
        return far, Lost("no answer") if what == AFTER else Reply(200, {}, b"", 0.0)

    def has(self, call: Call) -> bool:
        """Whether it has had a request, as far as it can tell."""
        return self.knows_keys and call.key in self.keys

    def _acts(self, call: Call) -> Far:
        if self.has(call):
            return self
        return replace(self, effects=(*self.effects, *meanings(call)), keys=(*self.keys, call.key))

    def _tells(self, call: Call) -> Reply:
        told = [self.reaches[each] for each in self.effects if each in self.reaches]
        statuses = [status for path, status in told if path == call.path]
        if not statuses:
            return Reply(404, {}, b"", 0.0)
        return Reply(200, {}, json.dumps({"status": statuses[-1]}).encode(), 0.0)
