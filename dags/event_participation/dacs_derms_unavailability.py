"""Periods in which a customer's device must not be called on, and the end of such periods, travel from DACS to
DERMS: one call for each, those of one device and period one after the other.

**Starts** when a message of DACS is in the inbox, when something unfinished is due again, and at midnight UTC
as a sweep. A run works on every message that waits, and stays a few seconds for the next.

**Ends** green: DERMS has every period as it is now; what a newer message had overtaken did not go. Red `send`:
DERMS has not taken everything yet and the rest goes by itself; or one was refused or is PARKED: the log says
which, and since nobody else is told, a person must look.

**Run it again** trigger it with an empty form: everything that waits. One message: give its number, ours or the
one its sender gave it. What was refused, once the cause is gone: the number and `resend = failed`; what is
PARKED: `resend = unknown`. Look first: `dry_run`. A day: a backfill, always with `--reprocess-behavior
completed`. Clearing a task resumes. What was accepted is never sent again unless you choose `all`, and what a
newer message has overtaken does not go even then.
"""

from airflow.sdk import DAG

from drbridge_airflow.operators import Send
from drbridge_airflow.policies import FLOW_SETTINGS, params, schedule_of

with DAG(
    "dacs_derms_unavailability",
    dag_display_name="Unavailabilities: DACS to DERMS",
    doc_md=__doc__,
    tags=["event participation", "DACS", "DERMS"],
    schedule=schedule_of("dacs_derms_unavailability"),
    params=params(),
    **FLOW_SETTINGS,
):
    Send(task_id="send")
