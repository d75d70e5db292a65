"""One day as the other systems live it: files are laid out, messages posted act by act, each after the one before."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date
from functools import partial

from drbridge_sandbox.day import Act, Inbox, compare, make_day, make_messages
from drbridge_sandbox.day.batch import knows_customers
from drbridge_sandbox.day.made import CUSTOMERS, NETWORK
from tests.faults.soak.stage import Stage, say, until_done

FIRST = (CUSTOMERS, NETWORK)
COMPARE_EVERY_SECONDS = 60.0
LONGEST_POSTING_SECONDS = 240


class Play:
    """A day that is lived in a thread of its own, while faults hit what is around it.

    Attributes:
        waits: of the customers' files and of each act, when it was posted and when its effects were there, on the
            monotonic clock.
        unfinished: what an act still lacked when nobody waited for it any longer.
        stopped: nobody waits for it any longer.
    """

    def __init__(self, stage: Stage, number: int, seed: int, devices: int, day: date) -> None:
        self.stage, self.root = stage, stage.root / "days" / str(number)
        self.day = make_day(seed, devices, day, self.root)
        self.messages = make_messages(self.day)
        self.started, self.since = time.monotonic(), time.time()
        self.waits: list[tuple[float, float]] = []
        self.unfinished: list[str] = []
        self.stopped = False
        airflow = stage.airflow
        self._inbox = Inbox(airflow.url, airflow.user, airflow.password, wait_seconds=0, tries=LONGEST_POSTING_SECONDS)

    def run(self) -> None:
        """Lives the day up to its last act."""
        self._lay_out(first=True)
        if not self._wait("the customers", self._unknown_customers):
            return
        self._lay_out(first=False)
        for act in self.messages.acts:
            say(f"  {time.monotonic() - self.started:4.0f} s  {act.title}: {len(act.posts)} messages")
            act.prepare(self.stage.box)
            self._inbox.post(act.posts)
            if not self._wait(act.title, partial(self._missing, act), compares=bool(act.deleted)):
                return
            act.end(self.stage.box)

    def _lay_out(self, *, first: bool) -> None:
        """Each owner tries until its file lies there."""
        self.stage.box.far("dacs").seed(self.day.sync_requests)
        for file in self.day.files:
            if (file.url in FIRST) is first:
                until_done(partial(self.stage.box.drop, file.url, file.name, file.path))

    def _unknown_customers(self) -> list[str]:
        return [] if knows_customers(self.stage.box, self.day) else ["DACS and the DERMS get to know the customers"]

    def _missing(self, act: Act) -> list[str]:
        return [str(each) for each in compare(act.prediction, self.stage.box, alone=False)]

    def _wait(self, what: str, left_of: Callable[[], list[str]], *, compares: bool = False) -> bool:
        """Waits until nothing is left; a day that is compressed has its nightly comparison every minute."""
        posted_at, compared_at, left = time.monotonic(), 0.0, [what]
        while left and not self.stopped:
            if compares and time.monotonic() - compared_at > COMPARE_EVERY_SECONDS:
                until_done(self.stage.compare_aggregators)
                compared_at = time.monotonic()
            time.sleep(1.0)
            try:
                left = left_of()
            except Exception as error:
                left = [f"{what}: {error!r}"]
        self.unfinished = left
        self.waits.append((posted_at, time.monotonic()))
        return not left
