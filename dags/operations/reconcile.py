"""Closes a day: adds up what came in, per flow and destination, and asks the other systems whether they have it.

Stored files are looked for with their size and tag; program events are asked how far they have come; the aggregators
of DACS are compared with those of DERMS. An aggregator that DACS has no longer, and of which no message spoke, goes to
DERMS as INACTIVE by the flow `dacs_derms_aggregators`; where more than half are missing, a person looks first.

**Starts** daily at 02:00 UTC, for the day before.

**Ends** green when there are no differences. Red: its log has a line for each, with the next step; nothing is sent
again by itself. A system that could not be asked is a difference too.

**Run it again** for any day: trigger it with `day`, or say `drbridge reconcile --day 2026-07-14`.
"""

from airflow.sdk import DAG, CronTriggerTimetable

from drbridge_airflow.operators import Reconcile
from drbridge_airflow.policies import FLOW_SETTINGS, day_param

with DAG(
    "reconcile",
    dag_display_name="Reconcile: books and other systems, day by day",
    doc_md=__doc__,
    tags=["operations"],
    schedule=CronTriggerTimetable("0 2 * * *", timezone="UTC"),
    params=day_param(),
    **FLOW_SETTINGS | {"max_active_runs": 1},
):
    Reconcile(task_id="reconcile")
