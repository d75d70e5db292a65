"""Telling people: owners of errors when a task gives up, and everybody of what the ledger has written down for them.

What is to be told is written into the ledger first; `resume` sends it within a minute, and again while it cannot go
out. So no flow waits for a mail server, and none fails for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from airflow.sdk import BaseNotifier, Context
from airflow.sdk.exceptions import AirflowFailException

from drbridge.errors import DrBridgeError
from drbridge_airflow.desk import desk_for_worker

if TYPE_CHECKING:
    from drbridge.exchange.desk import Desk


class TellOwners(BaseNotifier):
    """Tells the owners that a task gave up: all its tries are used up, or no try would help.

    A verdict on a file (AirflowFailException) was written down with the verdict, and is not told again here.
    """

    def notify(self, context: Context) -> None:
        """Writes the failure down; the first of an outage goes out at once, without waiting for `resume`."""
        from drbridge.exchange.notices import Failure, of_failure

        error = context.get("exception")
        if isinstance(error, AirflowFailException):
            return
        ti, task = context["ti"], context["task"]
        failure = Failure(
            flow=ti.dag_id, task=ti.task_id, error=error if isinstance(error, BaseException) else None,
            file=getattr(task, "file", ""), link=_link(ti.dag_id, ti.run_id, ti.task_id, ti.map_index),
            calls_targets=getattr(task, "calls_targets", False),
        )  # fmt: skip
        desk = desk_for_worker()
        if of_failure(desk, failure):
            tell_people(desk)


class WorksAgain(BaseNotifier):
    """A task came through: when it fails the next time, that is told again."""

    def notify(self, context: Context) -> None:
        """Looks whether its failure was told."""
        from drbridge.exchange.notices import works_again

        desk, ti = desk_for_worker(), context["ti"]
        if desk.systems.notify.channels("error", ti.dag_id):
            works_again(desk, ti.dag_id, ti.task_id, getattr(context["task"], "file", ""))


def tell_people(desk: Desk) -> None:
    """Sends what waits to be told; whatever is wrong with that is only logged."""
    from airflow.configuration import conf

    from drbridge.adapters.messengers import messengers
    from drbridge.exchange.tell import log, tell
    from drbridge_airflow.hooks.connections import connection_of

    try:
        ways = messengers(desk.systems.notify, connection_of)
        if ways:
            tell(desk, ways, conf.get("api", "base_url", fallback="http://localhost:8080"))
    except DrBridgeError as error:
        log.warning("Nobody can be told anything now: %s", error)
    except Exception as error:
        log.warning("Nobody can be told anything now: %s", type(error).__name__, exc_info=error)


def _link(dag_id: str, run_id: str, task_id: str, map_index: int | None) -> str:
    """The page of a task, after the address of Airflow's UI."""
    mapped = f"/mapped/{map_index}" if map_index is not None and map_index >= 0 else ""
    return f"dags/{dag_id}/runs/{quote(run_id, safe='')}/tasks/{task_id}{mapped}"
