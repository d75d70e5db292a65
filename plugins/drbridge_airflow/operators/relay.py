"""Relaying files byte for byte."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import Context

from drbridge_airflow.operators.brick import FileBrick
from drbridge_airflow.policies import work_from

if TYPE_CHECKING:
    from drbridge.exchange.desk import Desk


class Relay(FileBrick):
    """Streams one file from its source into every store the flow delivers to, checked and hashed on the way.

    A flow without a store has nothing to relay. A refused file is green here; `archive` gives the verdict.
    """

    task_name = "relay"
    default_rule = "all_done"
    ui_color = "#e0e7ff"

    def work(self, desk: Desk, context: Context) -> list[dict[str, Any]]:
        """Relays the file; one result per store."""
        from drbridge.exchange.relay import relay

        results = relay(desk, self.dag_id, self.file, work_from(context, desk.systems.site))
        for result in results:
            say = self.log.warning if result.state == "refused" else self.log.info
            say("%s: %s", result.destination, result.text)
        return [result.as_dict() for result in results]
