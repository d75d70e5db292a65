"""Customers who were enrolled or unenrolled, and devices that were replaced, travel from DACS to the DERMS of
their division: one call for each change, those of one subscription one after the other, the oldest first.
DACS's sync request is ended with what DERMS said.

**Starts** when a message of DACS is in the inbox, when something unfinished is due again, and at midnight UTC
as a sweep. A run works on every message that waits, and stays a few seconds for the next.

**Ends** green: DERMS has every change, or said no and DACS's sync request shows why, or a newer change of the
same subscription had taken effect already. Where DERMS only says that it has a change, its yes or no comes
through `derms_dacs_enrollment_ack`. Red `send`: DERMS has not taken everything yet and the rest goes by itself;
or a change is PARKED and a person must decide, and the log says which. Red `answer`: DACS could not be told
yet; that is tried again by itself.

**Run it again** trigger it with an empty form: everything that waits. One message: give its number, ours or the
one its sender gave it. What was refused, once the cause is gone: the number and `resend = failed`; what is
PARKED: `resend = unknown`. Look first: `dry_run`. A day: a backfill, always with `--reprocess-behavior
completed`. Clearing a task resumes. What was accepted is never sent again unless you choose `all`, and what a
newer message has overtaken does not go even then.
"""

from airflow.sdk import DAG

from drbridge_airflow.operators import Answer, Send
from drbridge_airflow.policies import FLOW_SETTINGS, params, schedule_of

with DAG(
    "dacs_derms_enrollment_sync",
    dag_display_name="Enrollment changes: DACS to DERMS",
    doc_md=__doc__,
    tags=["enrollment", "DACS", "DERMS"],
    schedule=schedule_of("dacs_derms_enrollment_sync"),
    params=params(),
    **FLOW_SETTINGS,
):
    send = Send(task_id="send")
    answer = Answer(task_id="answer")
    send >> answer
