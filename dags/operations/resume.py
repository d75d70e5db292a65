"""Wakes every flow that has unfinished work which is due and which nobody holds, and sends the notices that wait.

**Starts** every minute.

**Ends** green; the task's log names the flows it woke, and why. A paused flow stays silent: its work waits. Red: the
ledger or the settings cannot be used, and the log says what to do; the next minute tries again by itself.

**Run it again** at any time: trigger it. A flow that is woken once too often finds nothing to do.
"""

from airflow.sdk import DAG, CronTriggerTimetable

from drbridge_airflow.operators import WakeDueFlows
from drbridge_airflow.policies import FLOW_SETTINGS

with DAG(
    "resume",
    dag_display_name="Resume: wakes flows with unfinished work",
    doc_md=__doc__,
    tags=["operations"],
    schedule=CronTriggerTimetable("* * * * *", timezone="UTC"),
    **FLOW_SETTINGS,
):
    WakeDueFlows(task_id="wake_due_flows")
