"""Taking files in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import Context

from drbridge_airflow.operators.brick import FileBrick

if TYPE_CHECKING:
    from drbridge.exchange.desk import Desk


class Take(FileBrick):
    """Reads one file once: checks every row, stages the good ones, sets the bad ones aside. Sends nothing.

    For a file taken before it returns at once. A refused file is green here; `archive` gives the verdict.
    """

    task_name = "take"
    ui_color = "#dbeafe"

    def work(self, desk: Desk, context: Context) -> dict[str, Any]:
        """Takes the file in and returns its counts."""
        from drbridge.exchange.take import take

        taken = take(desk, self.dag_id, self.file)
        say = self.log.warning if taken.state == "refused" else self.log.info
        say("%s", taken.text)
        return taken.as_dict()
