"""Each file's verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from drbridge_airflow.operators.brick import FileBrick
from drbridge_airflow.policies import work_from

if TYPE_CHECKING:
    from drbridge.exchange.desk import Desk


class Archive(FileBrick):
    """Gives a file its verdict and, once all of it is settled, its source the name that says so.

    Green: settled. Red: refused, or not settled yet. Skipped: a person must decide, another run is at it (that one
    gives the verdict), or it was a dry run.
    """

    task_name = "archive"
    default_rule = "all_done"
    ui_color = "#fef9c3"

    def work(self, desk: Desk, context: Context) -> dict[str, Any]:
        """Judges the file and returns the rows by where they are."""
        from drbridge.exchange.archive import archive

        if work_from(context, desk.systems.site).dry_run:
            raise AirflowSkipException("dry run: nothing was sent, nothing is renamed")
        verdict = archive(desk, self.dag_id, self.file)
        if verdict.state == "settled":
            self.log.info("%s", verdict.text)
            return verdict.as_dict()
        context["ti"].xcom_push(key="verdict", value=verdict.as_dict())
        if verdict.state in ("needs_person", "gone"):
            raise AirflowSkipException(str(verdict))
        if verdict.state == "open" and (other := self._another_run(desk, context)):
            raise AirflowSkipException(f"{other}, and gives the verdict on {self.file}")
        raise AirflowFailException(str(verdict))

    def _another_run(self, desk: Desk, context: Context) -> str:
        """What another run is doing with this file, as the tasks before this one saw it.

        A sender also names one of its own run, of those that share the work: all of these have ended by now.
        """
        from drbridge.exchange.send import who_sends

        ti, before = context["ti"], self.get_flat_relative_ids(upstream=True)
        index = ti.map_index
        for task_id in before & {"take", "relay"}:
            seen = _each(ti.xcom_pull(task_ids=task_id, map_indexes=index))
            if any(result.get("state") == "busy" for result in seen):
                return f"another run is at '{task_id}' of this file"
        sent = _each(ti.xcom_pull(task_ids="send")) if "send" in before else []
        if any(result.get("held_by") for result in sent) and (other := who_sends(desk, self.dag_id)):
            return f"another run is sending this flow's work ({other})"
        return ""


def _each(results: Any) -> list[dict[str, Any]]:
    """What a task returned, or each of a mapped one."""
    return [result for result in (results if isinstance(results, list) else [results]) if result]
