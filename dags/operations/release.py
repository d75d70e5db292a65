"""Asks a person about what waits for one: why it stopped, how many rows are where, the reasons by their codes.

* **Held** delivery: *let it go on* (what was refused and what was never sent goes again, so correct the cause first) or
  *refuse it* (nothing more goes, the file becomes `Error-`, its sender is told FAILURE).
* Requests **in doubt**: *ask the other side* where it can be asked (nothing is sent), *send it again* under the same
  key, *they have it*, or *refuse it*.
* **Refused** file, for a week: *let the good rows go* where it only has too many bad ones, *take the corrected file*
  once it lies at the source, or *refuse it*.

*Leave it* is always possible. Triggered by hand it asks about everything that waits, also what was left.

**Starts** every five minutes. Of each trouble a person is asked once.

**Ends** when all of its questions are answered: each answer takes effect at once, whatever the others wait for. Green:
done. Skipped: nothing waits, or it went on by other means. Red: the answer could not be followed; the log says why and
what to do. Who decided, and why, is kept: `drbridge ledger audit`.

**Run it again** trigger it. A flow's own form does much of the same for many at once: the file, or a pattern, and
`resend`.
"""

from airflow.sdk import DAG, CronTriggerTimetable

from drbridge_airflow.operators import Decide, WhatWaits
from drbridge_airflow.policies import FLOW_SETTINGS

with DAG(
    "release",
    dag_display_name="Release: a person decides what waits for one",
    doc_md=__doc__,
    tags=["operations"],
    schedule=CronTriggerTimetable("*/5 * * * *", timezone="UTC"),
    **FLOW_SETTINGS | {"max_active_runs": 100},
):
    Decide.each(WhatWaits(task_id="what_waits"))
