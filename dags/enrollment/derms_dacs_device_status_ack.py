"""What DERMS knows of a device that DACS asked for travels back: reachable or not, one call for each question that
a message answers.

**Starts** when a message of DERMS is in the inbox, when something unfinished is due again, and at midnight UTC
as a sweep. A run works on every message that waits, and stays a few seconds for the next.

**Ends** green: DACS has every result; a second one for the same question counts as done. Red `send`: DACS has
not taken everything yet and the rest goes by itself; or one was refused (DACS knows no such question) or is
PARKED: the log says which, and a person must look.

**Run it again** trigger it with an empty form: everything that waits. One message: give its number, ours or the
one its sender gave it. What was refused, once the cause is gone: the number and `resend = failed`; what is
PARKED: `resend = unknown`. Look first: `dry_run`. A day: a backfill, always with `--reprocess-behavior
completed`. Clearing a task resumes. What was accepted is never sent again unless you choose `all`.
"""

from airflow.sdk import DAG

from drbridge_airflow.operators import Send
from drbridge_airflow.policies import FLOW_SETTINGS, params, schedule_of

with DAG(
    "derms_dacs_device_status_ack",
    dag_display_name="Device status: DERMS to DACS",
    doc_md=__doc__,
    tags=["enrollment", "DERMS", "DACS"],
    schedule=schedule_of("derms_dacs_device_status_ack"),
    params=params(),
    **FLOW_SETTINGS,
):
    Send(task_id="send")
