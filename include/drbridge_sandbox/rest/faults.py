"""The fault dial: makes a service slow, full, rude or dead, for some requests, some seconds, or until it is reset.

name            what happens                                           settings
slow            it waits before it acts                                milliseconds
status          it answers with a status without acting                status, retry_after, retry_after_as
error_after     it acts, and answers with a status as if it had not    status
drop_before     it closes the connection without acting
drop_after      it acts, and closes the connection without an answer
error_in_200    it answers 200 with an error inside, without acting
html            it answers 200 with a page for humans, without acting
redirect        it answers 302 to another address, without acting
drip            it acts, and gives its answer byte by byte             milliseconds for each byte
wrong_length    it acts, and says a wrong length of its answer         off_by
bomb            it acts, and answers with zeros packed by gzip         megabytes
shuffle         it acts, and lists what it answers in another order
forget_items    it acts, and lists only every other item it answers
partly          it acts on the first half of a list, and refuses all   status
forget_keys     it has forgotten all idempotency keys, and acts
reject_keys     it refuses requests that name one of these keys        keys
late            the DERMS acts and answers 202: its yes or no, kept as
                record `late_verdict`, is to come later by a call

A storm is `status` with 429 or 503, for a number of requests (`times`) or of seconds (`seconds`).
"""

from __future__ import annotations

import time
from threading import Lock
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

FaultName = Literal[
    "slow",
    "status",
    "error_after",
    "drop_before",
    "drop_after",
    "error_in_200",
    "html",
    "redirect",
    "drip",
    "wrong_length",
    "bomb",
    "shuffle",
    "forget_items",
    "partly",
    "forget_keys",
    "reject_keys",
    "late",
]


class Fault(BaseModel):
    """One setting of the dial.

    Attributes:
        times: how many requests it hits; None: every one until the dial is reset.
        after: how many requests it lets pass before the first that it hits.
        seconds: how long it lasts from when it is set; None: until the dial is reset.
        path: part of the paths it hits. Empty: every request that changes something, but not the token service.
        retry_after: the seconds it asks to be left alone for, told as a number or as the date when they are over.
        off_by: how much longer (or shorter) than it is the answer is said to be, in bytes.
        megabytes: the size of a bomb once it is unpacked.
    """

    model_config = ConfigDict(extra="forbid")

    name: FaultName
    times: int | None = Field(None, ge=1)
    after: int = Field(0, ge=0)
    seconds: float | None = Field(None, gt=0)
    path: str = ""
    milliseconds: int = Field(0, ge=0)
    status: int = Field(503, ge=300, le=599)
    retry_after: int | None = Field(None, ge=0)
    retry_after_as: Literal["seconds", "date"] = "seconds"
    off_by: int = 10
    megabytes: int = Field(10, ge=1)
    keys: frozenset[str] = frozenset()
    hits: int = 0
    _passed: int = PrivateAttr(0)
    _ends_at: float = PrivateAttr(float("inf"))

    def set_now(self) -> Fault:
        """This setting, as it begins."""
        fault = self.model_copy(update={"hits": 0})
        fault._passed = 0
        if self.seconds is not None:
            fault._ends_at = time.monotonic() + self.seconds
        return fault

    @property
    def is_over(self) -> bool:
        """Whether it has hit its number of requests, or its time is up."""
        return time.monotonic() >= self._ends_at or (self.times is not None and self.hits >= self.times)

    def strikes(self, method: str, path: str) -> bool:
        """Whether it hits this request; counts it."""
        if not self.concerns(method, path):
            return False
        if self._passed < self.after:
            self._passed += 1
            return False
        self.hits += 1
        return True

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
        """What is set now; a fault that is over is gone."""
        with self._lock:
            return [fault for fault in self._faults if not fault.is_over]

    def add(self, fault: Fault) -> None:
        """Turns a fault on."""
        with self._lock:
            self._faults.append(fault.set_now())

    def clear(self) -> None:
        """Turns all of them off."""
        with self._lock:
            self._faults.clear()

    def take(self, method: str, path: str) -> list[Fault]:
        """The faults that hit this request, in the order they were set; counts the hit."""
        with self._lock:
            self._faults = [fault for fault in self._faults if not fault.is_over]
            return [fault for fault in self._faults if fault.strikes(method, path)]
