"""The faults of one day, step by step: what is due begins, what is over ends."""

from __future__ import annotations

import time
from collections.abc import Sequence

from tests.faults.soak.faults import Fault, begin, end
from tests.faults.soak.stage import SERVICES, Stage, say

GIVE_UP_AFTER_SECONDS = 60.0


class Storm:
    """The faults of a day on their way.

    Attributes:
        done: those that were done, each with its moment in seconds after the day began.
        over_at: when the last one was over, on the monotonic clock; None before that.
    """

    def __init__(self, stage: Stage, faults: Sequence[Fault]) -> None:
        self.stage, self.started = stage, time.monotonic()
        self.done: list[tuple[float, Fault]] = []
        self.over_at: float | None = None
        self._waiting = list(faults)
        self._holding: list[tuple[float, Fault]] = []

    def step(self) -> None:
        """Begins and ends what is due; to be called again and again, from the thread that started the servers."""
        now = time.monotonic() - self.started
        for until, fault in [each for each in self._holding if each[0] <= now]:
            self._end(until, fault, now)
        for fault in [each for each in self._waiting if each.at <= now]:
            self._begin(fault, now)
        if self.over_at is None and not self._waiting and not self._holding:
            self._calm()

    def _end(self, until: float, fault: Fault, now: float) -> None:
        """What does not come back at once is brought back with the next step."""
        try:
            end(fault, self.stage)
        except Exception as error:
            say(f"  {now:4.0f} s  not back yet: {fault.name}: {error!r}")
            return
        self._holding.remove((until, fault))
        say(f"  {now:4.0f} s  over: {fault.name}")

    def _begin(self, fault: Fault, now: float) -> None:
        """A second fault of a server that is down already waits until it is back."""
        if any((other.kind, other.target) == (fault.kind, fault.target) for _, other in self._holding):
            return
        if begin(fault, self.stage):
            self._waiting.remove(fault)
            self.done.append((round(now, 1), fault))
            self._holding += [(now + fault.seconds, fault)] if fault.seconds else []
            say(f"  {now:4.0f} s  fault: {fault}")
        elif now > fault.at + GIVE_UP_AFTER_SECONDS:
            self._waiting.remove(fault)
            say(f"  {now:4.0f} s  nothing there to be hit: {fault}")

    def _calm(self) -> None:
        """Turns the dials back; an answer that the DERMS gives only later is no fault, and stays."""
        for system in SERVICES:
            far = self.stage.box.far(system)
            late = [each["path"] for each in far.faults() if each["name"] == "late"]
            far.no_faults()
            for path in late:
                far.fault("late", path=path)
        self.over_at = time.monotonic()
        say(f"  {self.over_at - self.started:4.0f} s  the faults are over")
