"""Asking a person about held deliveries, one task for each, and doing what was decided."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import BaseOperator, Context, Param
from airflow.sdk.exceptions import AirflowSkipException

from drbridge_airflow.operators.brick import Brick, shortened
from drbridge_airflow.policies import WAKE_ALIAS, is_by_hand, wake_asset

if TYPE_CHECKING:
    from airflow.sdk.definitions.mappedoperator import MappedOperator

    from drbridge.exchange.desk import Desk

CHOICES = ("Let it go on", "Refuse it", "Leave it")


class WhatWaits(Brick):
    """Lists the held deliveries that nobody has been asked about yet; by hand: all that are held."""

    is_of_flow = False
    ui_color = "#fae8ff"

    def work(self, desk: Desk, context: Context) -> list[dict[str, Any]]:
        """Looks into the ledger; nothing there: it is skipped."""
        from drbridge.exchange.release import to_ask

        run = context["dag_run"]
        held = to_ask(desk, run.dag_id, run.run_id, is_by_hand(context))
        if not held:
            raise AirflowSkipException("nothing is held that nobody was asked about")
        for each in held:
            self.log.info("%s: %s", each.name, each.text)
        return [each.as_dict() for each in held]


class Decide(Brick, HITLOperator):
    """Asks a person about one held delivery, waits without holding a worker, and does at once what was decided.

    Args:
        held: the delivery, as `what_waits` lists it. Never a template: a name may contain anything.
    """

    template_fields = ()
    is_of_flow = False
    ui_color = "#fef9c3"

    def __init__(self, *, held: dict[str, Any], **kwargs: Any) -> None:
        why = Param("", type="string", title="Reason", maxLength=500, description="Why: it is kept in the audit.")
        kwargs |= {"params": {"why": why}, "outlets": [WAKE_ALIAS]}  # a mapped task brings empty ones along
        super().__init__(
            subject=f"Held: {shortened(held['name'])}", body=held["text"], options=list(CHOICES), **kwargs
        )  # fmt: skip
        self.held = held

    @property
    def label(self) -> str:
        """The file's or message's name, as the grid shows it."""
        return shortened(self.held["name"])

    @classmethod
    def each(cls, waiting: BaseOperator) -> MappedOperator:
        """One task per delivery that `waiting` returns."""
        return cls.partial(
            task_id="decide", outlets=[WAKE_ALIAS], map_index_template="{{ task.label }}"
        ).expand(held=waiting.output)  # fmt: skip

    def work(self, desk: Desk, context: Context) -> None:
        """Asks, unless the delivery went on meanwhile."""
        from drbridge.exchange.release import is_held

        if not is_held(desk, self.held["delivery"]):
            raise AirflowSkipException("it is not held any more")
        HITLOperator.execute(self, context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Somebody has answered."""
        answer = super().execute_complete(context, event)
        return self._guarded(context, lambda desk, _: self._act(desk, context, answer))

    def _act(self, desk: Desk, context: Context, answer: Any) -> dict[str, str]:
        from drbridge.exchange.release import decide

        user = answer["responded_by_user"] or {}
        who = str(user.get("name") or user.get("id") or "nobody")
        (choice,), why = answer["chosen_options"], str(answer["params_input"].get("why") or "")
        told = decide(desk, self.held["delivery"], choice, who, why)
        self.log.info("%s: %s decided %r, %s", self.held["name"], who, choice, told)
        if flow := self.held["flow"]:
            context["outlet_events"][WAKE_ALIAS].add(wake_asset(flow), extra={"why": f"{who} decided"})
        return {"choice": choice, "who": who, "told": told}
