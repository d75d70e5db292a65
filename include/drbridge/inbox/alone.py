"""The inbox on its own: `uvicorn --factory drbridge.inbox.alone:app`, or `drbridge inbox serve`."""

from __future__ import annotations

from functools import lru_cache

from fastapi import FastAPI

from drbridge.adapters.outside import ConnectionsOutside, environment_connection
from drbridge.exchange.desk import Desk
from drbridge.exchange.staging import Staging
from drbridge.inbox.app import create
from drbridge.inbox.callers import CallersInFile
from drbridge.inbox.paths import PUBLISHED_PREFIX, SHORT_PREFIX
from drbridge.ledger.database import Ledger
from drbridge.ledger.schema import upgrade
from drbridge.systems import load


@lru_cache(maxsize=1)
def desk() -> Desk:
    """Settings and ledger of this process."""
    ledger = Ledger()
    upgrade(ledger)
    return Desk(load(), ledger, Staging(), ConnectionsOutside(environment_connection))


def app() -> FastAPI:
    """Both sets of paths, under the same prefixes as in Airflow's API server."""
    root, callers = FastAPI(title="drbridge", openapi_url=None), CallersInFile()
    root.mount(SHORT_PREFIX, create(desk, callers))
    root.mount(PUBLISHED_PREFIX, create(desk, callers, published=True))
    return root
