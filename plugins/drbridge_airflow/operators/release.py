"""Asking a person about what waits for one, one task for each, and doing what was decided."""

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


class WhatWaits(Brick):
    """Lists what waits for a person and was not asked about yet; by hand: all that waits."""

    is_of_flow = False
    ui_color = "#fae8ff"

    def work(self, desk: Desk, context: Context) -> list[dict[str, Any]]:
        """Looks into the ledger; nothing there: it is skipped."""
        from drbridge.exchange.release import to_ask

        run = context["dag_run"]
        waiting = to_ask(desk, run.dag_id, run.run_id, is_by_hand(context))
        if not waiting:
            raise AirflowSkipException("nothing waits that nobody was asked about")
        for each in waiting:
            self.log.info("%s: %s", each.name, each.text)
        return [each.as_dict() for each in waiting]


class Decide(Brick, HITLOperator):
    """Asks a person one question, waits without holding a worker, and does at once what was decided.

    Args:
        question: as `what_waits` lists it. Never a template: a name may contain anything.
    """

    template_fields = ()
    is_of_flow = False
    ui_color = "#fef9c3"

    def __init__(self, *, question: dict[str, Any], **kwargs: Any) -> None:
        why = Param("", type="string", title="Reason", maxLength=500, description="Why: it is kept in the audit.")
        kwargs |= {"params": {"why": why}, "outlets": [WAKE_ALIAS]}  # a mapped task brings empty ones along
        super().__init__(
            subject=f"{question['title']}: {shortened(question['name'])}", body=question["text"],
            options=list(question["choices"]), **kwargs,
        )  # fmt: skip
        self.question = question

    @property
    def label(self) -> str:
        """The file's or message's name, as the grid shows it."""
        return shortened(self.question["name"])

    @classmethod
    def each(cls, waiting: BaseOperator) -> MappedOperator:
        """One task for each question that `waiting` returns."""
        return cls.partial(
            task_id="decide", outlets=[WAKE_ALIAS], map_index_template="{{ task.label }}"
        ).expand(question=waiting.output)  # fmt: skip

    def work(self, desk: Desk, context: Context) -> None:
        """Asks, unless it does not wait any more."""
        from drbridge.exchange.release import waits

        if not waits(desk, self.question["key"]):
            raise AirflowSkipException("it does not wait any more")
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
        told = decide(desk, self.question["key"], choice, who, why)
        self.log.info("%s: %s decided %r, %s", self.question["name"], who, choice, told)
        if flow := self.question["flow"]:
            context["outlet_events"][WAKE_ALIAS].add(wake_asset(flow), extra={"why": f"{who} decided"})
        return {"choice": choice, "who": who, "told": told}
