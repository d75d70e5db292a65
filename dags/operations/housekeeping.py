"""Deletes what was settled long enough ago: the content of messages, staged and refused rows, posted files that have
their verdict, and at last the facts in the ledger. How long each is kept is `[keep]` in systems.toml.

Nothing goes that is open, parked or held, or of which an answer is owed. A file that still lies at its source under its
first name stays known. What is asked for again after its content is deleted is not sent, and the log says so.

**Starts** daily at 03:30 UTC.

**Ends** green: the log says how much was deleted, and so does `drbridge ledger audit`. Red: the ledger or the staging
folder cannot be used; the log says what to do, and the next day goes on where this one stopped.

**Run it again** at any time: trigger it. It deletes in small steps, so flows go on beside it.
"""

from airflow.sdk import DAG, CronTriggerTimetable

from drbridge_airflow.operators import Housekeeping
from drbridge_airflow.policies import FLOW_SETTINGS

with DAG(
    "housekeeping",
    dag_display_name="Housekeeping: what was settled long ago is deleted",
    doc_md=__doc__,
    tags=["operations"],
    schedule=CronTriggerTimetable("30 3 * * *", timezone="UTC"),
    **FLOW_SETTINGS | {"max_active_runs": 1},
):
    Housekeeping(task_id="housekeeping")
