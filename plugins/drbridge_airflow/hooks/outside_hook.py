"""What the hooks have in common: a connection, and a look whether it works."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook

from drbridge.errors import DrBridgeError
from drbridge_airflow.hooks.connections import connection_of

if TYPE_CHECKING:
    from drbridge.ports import Connection


class OutsideHook(BaseHook):
    """Something outside, behind an Airflow connection.

    Args:
        conn_id: the connection's id.
    """

    conn_name_attr = "conn_id"

    def __init__(self, conn_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.conn_id = conn_id

    def test_connection(self) -> tuple[bool, str]:
        """Looks for real: logs in, lists or asks, writes nothing; tells what was seen, or what is wrong."""
        from drbridge.adapters.looking import look_at

        try:
            seen = list(look_at(self._connection(), self._places()))
        except DrBridgeError as error:
            return False, str(error)
        return all(each.good for each in seen), "; ".join(f"{each.text} {each.fix}".rstrip() for each in seen)

    def _connection(self) -> Connection:
        """How to get there."""
        return connection_of(self.conn_id)

    def _places(self) -> Sequence[str]:
        """The addresses to look at; a REST side has none."""
        return ()
