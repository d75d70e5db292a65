"""Sending what was taken in, and answering those who sent it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from drbridge.errors import Rejected, RetryLater
from drbridge_airflow.operators.brick import Brick
from drbridge_airflow.policies import work_from

if TYPE_CHECKING:
    from airflow.sdk.definitions.mappedoperator import MappedOperator

    from drbridge.exchange.desk import Desk
    from drbridge.exchange.tally import SendResult
    from drbridge.exchange.work import Work


class _Sender(Brick):
    """Runs whatever became of the tasks before it, and fails when something it should have sent is still open."""

    calls_targets = True

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("trigger_rule", "all_done")
        super().__init__(**kwargs)

    def work(self, desk: Desk, context: Context) -> dict[str, Any]:
        """Sends, says what was sent, and returns the counts."""
        asked = work_from(context, desk.systems.site)
        result = self._send(desk, asked)
        if asked.dry_run:
            self._show_calls(result)
        elif result.held_by and not result.sent:
            self.log.info("Another run is sending this flow's work now: %s", result.held_by)
        elif result.handed_on:
            self.log.info("%d rows are left to the next run; %d went", result.open_left, result.sent)
        elif result.open_left:
            context["ti"].xcom_push(key="sent", value=result.as_dict())
            raise RetryLater(
                f"{result.open_left} rows could not be sent yet",
                detail=result.waiting,
                fix="nothing: they go by themselves; if this lasts, call the owner of the other side",
            )
        else:
            self.log.info(
                "%d requests: %d rows accepted, %d refused, %d wait for a person",
                result.sent, result.acked, result.rejected, result.parked,
            )  # fmt: skip
        return result.as_dict()

    def _send(self, desk: Desk, asked: Work) -> SendResult:
        raise NotImplementedError

    def _show_calls(self, result: SendResult) -> None:
        self.log.info("Dry run: %d calls would be sent, none was", len(result.calls))
        for call in result.calls:
            self.log.info("%s", json.dumps(call, default=str))


class Send(_Sender):
    """Drains every open delivery of the flow to its REST endpoints, whichever run took it in.

    A file gets its verdict from `archive`. A message has none: this brick fails in the run that left one for a person,
    or saw one refused of which its sender is not told. The owners are told of each message by its number.

    Args:
        sender: which of several tasks that share large files this is; each takes what is free.
    """

    ui_color = "#dcfce7"

    def __init__(self, *, sender: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sender = sender

    @classmethod
    def shared_by(cls, senders: int) -> MappedOperator:
        """So many tasks, on as many workers as there are; `senders` of the endpoint is what a large file is cut for."""
        mapped = cls.partial(task_id="send", trigger_rule="all_done", map_index_template="sender {{ task.sender }}")
        return mapped.expand(sender=list(range(1, senders + 1)))

    def _send(self, desk: Desk, asked: Work) -> SendResult:
        from drbridge.exchange.resend import names_any
        from drbridge.exchange.send import send

        if asked.dry_run and self.sender > 1:
            raise AirflowSkipException("a dry run: the first sender shows the calls of all")
        flow = desk.systems.flow(self.dag_id)
        if flow.message and asked.file and not names_any(desk, flow, asked):
            raise AirflowSkipException(
                f"no message called {asked.file} has come for this flow: check the number, and that this is its flow"
            )
        result = send(desk, self.dag_id, asked)
        if flow.message and (result.parked or (result.rejected and not flow.answer)):
            trouble = Rejected(
                f"Messages that did not arrive: {result.rejected} refused, {result.parked} wait for a person",
                detail="; ".join(result.troubles),
                fix="ask the other side what it has; then trigger the flow with the message's number and resend = "
                "unknown where it is PARKED, failed where it is REJECTED",
            )
            raise AirflowFailException(str(trouble))
        return result


class Answer(_Sender):
    """Sends the acknowledgements that the flow owes its senders; if a sender is down, they wait.

    No `archive` tells what becomes of an answer, so this brick fails when one was refused or waits for a person.
    """

    ui_color = "#ccfbf1"

    def _send(self, desk: Desk, asked: Work) -> SendResult:
        from drbridge.exchange.send import answer

        result = answer(desk, self.dag_id, asked)
        if result.troubles:
            trouble = Rejected(
                f"Acknowledgements that did not reach the sender: {len(result.troubles)}",
                detail="; ".join(result.troubles),
                fix="ask the other side what it has; then trigger the flow with the file, or the message's number, and "
                "resend = unknown where one is PARKED, failed where it is REJECTED or held",
            )
            raise AirflowFailException(str(trouble)) if desk.systems.flow(self.dag_id).message else trouble
        return result
