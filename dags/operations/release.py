"""Asks a person about deliveries that are held: of each, why it stopped, how many rows are where, and the reasons by
their codes. **Let it go on**: what was refused and what was never sent goes again, so correct the cause first. **Refuse
it**: nothing more goes, the file becomes `Error-`, its sender is told FAILURE. **Leave it**: it stays as it is.

**Starts** every five minutes. Of each delivery a person is asked once; triggered by hand it asks about all that are.

**Ends** when all of its questions are answered: each answer takes effect at once, whatever the others wait for. Green:
done. Skipped: nothing is held, or the delivery went on by other means. Red: the answer could not be followed; the log
says why and what to do. Who decided, and why, is kept: `drbridge ledger audit`.

**Run it again** trigger it: it asks about everything that is held, also what was left. A flow's own form does the same
as the first answer: the file, and `resend = failed`.
"""

from airflow.sdk import DAG, CronTriggerTimetable

from drbridge_airflow.operators import Decide, WhatWaits
from drbridge_airflow.policies import FLOW_SETTINGS

with DAG(
    "release",
    dag_display_name="Release: a person decides about held deliveries",
    doc_md=__doc__,
    tags=["operations"],
    schedule=CronTriggerTimetable("*/5 * * * *", timezone="UTC"),
    **FLOW_SETTINGS | {"max_active_runs": 100},
):
    Decide.each(WhatWaits(task_id="what_waits"))
