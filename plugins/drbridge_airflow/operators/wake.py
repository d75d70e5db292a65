"""Waking flows that have unfinished work, and telling people what is to be told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import Context

from drbridge_airflow.notifiers import tell_people
from drbridge_airflow.operators.brick import Brick
from drbridge_airflow.policies import WAKE_ALIAS, wake_asset

if TYPE_CHECKING:
    from drbridge.exchange.desk import Desk


class WakeDueFlows(Brick):
    """Emits the wake asset of every flow with work that is due and free, and sends the notices that wait."""

    is_of_flow = False
    ui_color = "#f1f5f9"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(outlets=[WAKE_ALIAS], **kwargs)

    def work(self, desk: Desk, context: Context) -> dict[str, str]:
        """Looks into the ledger, wakes what is due, and sends what waits to be told."""
        from drbridge.exchange.resume import due_flows

        due = dict(due_flows(desk))
        for flow, why in due.items():
            self.log.info("Waking %s: %s", flow, why)
            context["outlet_events"][WAKE_ALIAS].add(wake_asset(flow), extra={"why": why})
        tell_people(desk)
        return due
