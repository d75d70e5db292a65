"""Callers of the inbox are Airflow's own users; what they may send is what they may trigger."""

from __future__ import annotations

import httpx
from airflow.api_fastapi.app import cached_app, get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from fastapi import HTTPException
from jwt import InvalidTokenError

from drbridge.inbox.callers import Caller, Remembered, basic_of

TOKEN_PATH = "/auth/token"  # noqa: S105  every auth manager offers it


class AirflowCallers:
    """Asks Airflow's auth manager, whichever is configured.

    A bearer token is checked as for Airflow's REST API. Name and password are exchanged for such a token; who they
    belong to is remembered for a few minutes, so that not every message costs a login.
    """

    def __init__(self) -> None:
        self._remembered = Remembered()

    async def who(self, authorization: str) -> Caller | None:
        """The user behind an Authorization header."""
        if known := self._remembered.get(authorization):
            return known
        kind, _, word = authorization.partition(" ")
        basic = basic_of(authorization)
        token = await _exchanged(*basic) if basic else word.strip() if kind.lower() == "bearer" else None
        caller = await _user_of(token) if token else None
        if caller is not None and basic is not None:
            self._remembered.keep(authorization, caller)
        return caller

    async def may_send(self, caller: Caller, flow: str) -> bool:
        """Whether the user may trigger the flow's DAG."""
        return bool(
            get_auth_manager().is_authorized_dag(
                method="POST", access_entity=DagAccessEntity.RUN, details=DagDetails(id=flow), user=caller.user
            )
        )


async def _exchanged(name: str, password: str) -> str | None:
    transport = httpx.ASGITransport(app=cached_app())
    async with httpx.AsyncClient(transport=transport, base_url="http://airflow.internal") as client:
        reply = await client.post(TOKEN_PATH, json={"username": name, "password": password})
    token = reply.json().get("access_token") if reply.status_code in (200, 201) else None
    return str(token) if token else None


async def _user_of(token: str) -> Caller | None:
    try:
        user = await get_auth_manager().get_user_from_token(token)
    except (InvalidTokenError, HTTPException, ValueError, KeyError):
        return None
    return Caller(user.get_name(), user)
