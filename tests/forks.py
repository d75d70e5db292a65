"""Processes of our own that begin at once: forked from one that has imported what most of them need."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Mapping
from multiprocessing.context import ForkServerProcess
from typing import Any

PRELOADED = ["tests.flows.killed", "tests.faults.kills.runner"]

forks = multiprocessing.get_context("forkserver")
forks.set_forkserver_preload(PRELOADED)


def forked(work: Callable[..., None], *given: Any, env: Mapping[str, str] | None = None) -> ForkServerProcess:
    """A process that works on what it is given, in our environment as it is now and what is said besides."""
    process = forks.Process(target=_work, args=({**os.environ, **(env or {})}, work, given))
    process.start()
    return process


def _work(env: Mapping[str, str], work: Callable[..., None], given: tuple[Any, ...]) -> None:
    os.environ.clear()
    os.environ.update(env)
    work(*given)
