"""The inbox on its own: `uvicorn --factory drbridge.inbox.alone:app`, or `drbridge inbox serve`."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from fastapi import FastAPI
from starlette.exceptions import HTTPException

from drbridge.adapters.here import open_desk
from drbridge.exchange.desk import Desk
from drbridge.inbox.app import create, not_served
from drbridge.inbox.callers import Callers, CallersInFile
from drbridge.inbox.paths import PUBLISHED_PREFIX, SHORT_PREFIX
from drbridge.inbox.reading import Limits


@lru_cache(maxsize=1)
def desk() -> Desk:
    """Settings and ledger of this process."""
    return open_desk()


def app() -> FastAPI:
    """The inbox with the settings of this process."""
    return both(desk, CallersInFile())


def both(desk: Callable[[], Desk], callers: Callers, limits: Limits | None = None) -> FastAPI:
    """Both sets of paths, under the same prefixes as in Airflow's API server."""
    root = FastAPI(title="drbridge", openapi_url=None, redirect_slashes=False)
    root.add_exception_handler(HTTPException, not_served)
    root.mount(SHORT_PREFIX, create(desk, callers, limits=limits))
    root.mount(PUBLISHED_PREFIX, create(desk, callers, published=True, limits=limits))
    return root
