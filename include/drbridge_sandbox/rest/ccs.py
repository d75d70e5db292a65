"""The CIS (CCS) as far as its REST services are called: it hears what DACS made of the customers it has sent."""

from __future__ import annotations

from fastapi import Request

from drbridge_sandbox.rest import sync_requests
from drbridge_sandbox.rest.hall import Hall

VERSION = "23C"


def build(hall: Hall) -> None:
    """Adds the services of the CIS to its app."""
    sync_requests.take_at(hall)

    @hall.app.get("/rest/apis/common/healthCheck")
    async def health_check(request: Request) -> dict[str, str]:
        hall.doorman.admit(request.headers.get("authorization"))
        return {"status": "UP", "version": VERSION}
