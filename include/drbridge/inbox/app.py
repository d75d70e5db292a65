"""The inbox as a FastAPI app: mounted in Airflow's API server by the plugin, or served alone by uvicorn."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from drbridge.errors import DrBridgeError, Misconfigured, RetryLater
from drbridge.exchange.desk import Desk
from drbridge.inbox.callers import Callers
from drbridge.inbox.clerk import Clerk
from drbridge.inbox.openapi import describe
from drbridge.inbox.paths import DOORS, Door
from drbridge.inbox.problems import Refused, as_response

NO_SUCH_PATH = "There is nothing at this path: compare it with the page that lists the paths (/docs)"


def create(desk: Callable[[], Desk], callers: Callers, *, published: bool = False) -> FastAPI:
    """The inbox.

    Args:
        desk: opens settings and ledger; asked again for each request, so it should remember what it gave.
        callers: says who calls, and what it may send.
        published: serve the paths that DERMS and DACS already call; else the short ones.
    """
    clerk = Clerk(desk, callers)
    app = FastAPI(title="drbridge inbox", version="1", redoc_url=None, swagger_ui_oauth2_redirect_url=None)
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(DrBridgeError, _failed)
    app.add_exception_handler(HTTPException, _not_served)
    for door in DOORS:
        _add(app, clerk, door, published)

    @app.get("/messages/{number}", name="message")
    async def message(request: Request, number: str) -> Response:
        """What has become of a message; with `Prefer: wait=60` as soon as it is settled."""
        return await clerk.tell(request, number)

    @app.get("/health", name="health")
    async def health() -> dict[str, str]:
        """Whether messages can be stored now."""
        return await clerk.health()

    describe(app, published)
    return app


def _add(app: FastAPI, clerk: Clerk, door: Door, published: bool) -> None:
    path = door.published if published else door.short
    waits = published and door.answers_at_once

    async def take(request: Request) -> Response:
        return await clerk.take(request, door, waits)

    app.add_api_route(f"/{path}", take, methods=["POST"], name=door.noun, status_code=202)


async def _refused(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refused)
    return as_response(error)


async def _failed(_request: Request, error: Exception) -> JSONResponse:
    """Our own trouble is no secret, but its details are for our log."""
    assert isinstance(error, DrBridgeError)
    if isinstance(error, RetryLater):
        return as_response(
            Refused(503, "Messages cannot be stored now: send it again later", headers={"Retry-After": "30"})
        )
    what = "This message is not taken here" if isinstance(error, Misconfigured) else "The message could not be stored"
    return as_response(Refused(503, f"{what}: {error.what}", headers={"Retry-After": "300"}))


async def _not_served(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    detail = NO_SUCH_PATH if error.status_code == 404 else f"{error.detail}: compare the request with /docs"
    return as_response(Refused(error.status_code, detail, headers=error.headers))
