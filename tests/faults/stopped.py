"""A worker in a process of its own that stops (SIGSTOP) before or after the wire, and later goes on."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

from drbridge.exchange.desk import Desk
from drbridge.exchange.requests import Requests
from drbridge.exchange.send import send
from drbridge.exchange.sender import Sender
from tests.flows.chain import NOW

Where = Literal["before the wire", "after the wire"]


@contextmanager
def stopped(desk: Desk, flow: str, where: Where) -> Iterator[Callable[[], None]]:
    """Gives the worker once it has stopped; call what is given to have it go on to its end."""
    child = os.fork()  # as Airflow starts its tasks
    if child == 0:
        _work(desk, flow, where)
    ended = False

    def go_on() -> None:
        nonlocal ended
        os.kill(child, signal.SIGCONT)
        os.waitpid(child, 0)
        ended = True

    try:
        _, status = os.waitpid(child, os.WUNTRACED)
        assert os.WIFSTOPPED(status), "it ended before it came to where it stops"
        yield go_on
    finally:
        if not ended:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def _work(desk: Desk, flow: str, where: Where) -> None:
    stops, build, turn = [signal.SIGSTOP], Requests.build, Sender._turn

    def stop_once() -> None:
        """Sent to this very thread: else it would run on for a moment, into a transaction."""
        if stops:
            signal.pthread_kill(threading.get_ident(), stops.pop())

    def build_after_a_stop(self: Requests, claim: Any) -> Any:
        stop_once()
        return build(self, claim)

    def turn_after_a_stop(self: Sender, done: list[Any], room: int, busy: bool) -> Any:
        if done:
            stop_once()
        return turn(self, done, room, busy)

    if where == "before the wire":
        Requests.build = build_after_a_stop  # type: ignore[method-assign]
    else:
        Sender._turn = turn_after_a_stop  # type: ignore[method-assign]
    try:
        send(desk, flow, NOW)
    finally:
        os._exit(0)
