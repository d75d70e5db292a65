"""Connections of Airflow as our adapters want them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drbridge.errors import Misconfigured

if TYPE_CHECKING:
    from drbridge.adapters.outside import ConnectionsOutside
    from drbridge.ports import Connection


def connection_of(conn_id: str) -> Connection:
    """The Airflow connection with this id.

    Raises:
        Misconfigured: there is none, or it cannot be read.
    """
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    from drbridge.adapters.outside import connection_from_fields

    try:
        found = BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        raise Misconfigured(
            f"There is no connection {conn_id}",
            fix=f"make it under Admin > Connections, or set AIRFLOW_CONN_{conn_id.upper()}",
        ) from None
    names = ("conn_type", "host", "port", "login", "password", "schema", "extra")
    try:
        return connection_from_fields(conn_id, {name: getattr(found, name) for name in names})
    except (ValueError, TypeError):
        raise Misconfigured(f"The extras of connection {conn_id} are no JSON", fix="correct them") from None


def outside() -> ConnectionsOutside:
    """Stores and REST targets behind Airflow's connections; tokens that are fetched are masked in task logs."""
    from airflow.sdk.log import mask_secret

    from drbridge.adapters.outside import ConnectionsOutside

    return ConnectionsOutside(connection_of, mask_secret)
