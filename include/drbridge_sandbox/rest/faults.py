"""The fault dial: makes a service slow, full, rude or dead, for a number of requests or until it is turned back.

name            what happens                                           settings
slow            it waits before it acts                                milliseconds
status          it answers with a status without acting                status, retry_after
error_after     it acts, and answers with a status as if it had not    status
drop_before     it closes the connection without acting
drop_after      it acts, and closes the connection without an answer
error_in_200    it answers 200 with an error inside, without acting
html            it answers 200 with a page for humans, without acting
redirect        it answers 302 to another address, without acting
reject_keys     it refuses requests that name one of these keys        keys
late            the DERMS acts and answers 202: its yes or no, kept as
                record `late_verdict`, is to come later by a call
"""

from __future__ import annotations

from threading import Lock
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

FaultName = Literal[
    "slow",
    "status",
    "error_after",
    "drop_before",
    "drop_after",
    "error_in_200",
    "html",
    "redirect",
    "reject_keys",
    "late",
]


class Fault(BaseModel):
    """One setting of the dial.

    Attributes:
        times: how many requests it hits; None: every one until the dial is reset.
        path: part of the paths it hits. Empty: every request that changes something, but not the token service.
    """

    model_config = ConfigDict(extra="forbid")

    name: FaultName
    times: int | None = Field(None, ge=1)
    path: str = ""
    milliseconds: int = Field(0, ge=0)
    status: int = Field(503, ge=300, le=599)
    retry_after: int | None = Field(None, ge=0)
    keys: frozenset[str] = frozenset()
    hits: int = 0

    def concerns(self, method: str, path: str) -> bool:
        """Whether a request is one that it hits."""
        if self.path:
            return self.path in path
        return method not in ("GET", "HEAD") and not path.startswith("/oauth/")


class Dial:
    """The faults set on one service."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = Lock()

    @property
    def faults(self) -> list[Fault]:
        """What is set now; a fault that has hit its number of requests is gone."""
        with self._lock:
            return list(self._faults)

    def add(self, fault: Fault) -> None:
        """Turns a fault on."""
        with self._lock:
            self._faults.append(fault.model_copy(update={"hits": 0}))

    def clear(self) -> None:
        """Turns all of them off."""
        with self._lock:
            self._faults.clear()

    def take(self, method: str, path: str) -> list[Fault]:
        """The faults that hit this request, in the order they were set; counts the hit."""
        with self._lock:
            hit = [fault for fault in self._faults if fault.concerns(method, path)]
            for fault in hit:
                fault.hits += 1
            self._faults = [fault for fault in self._faults if fault.times is None or fault.hits < fault.times]
            return hit
