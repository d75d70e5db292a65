"""Customers who want to take part in a program, as DERMS has gathered them, travel to DACS: one call for each
request of a message. DERMS is sent one answer for the message, with DACS's word on each request in the order in
which it asked.

**Starts** when a message of DERMS is in the inbox, when something unfinished is due again, and at midnight UTC
as a sweep. A run works on every message that waits, and stays a few seconds for the next.

**Ends** green: DACS has every request, and DERMS knows what became of each. One that DACS refused (VAL-ERROR,
ERROR) is in the answer and stops no other; DACS's staff deal with it. An enrollment that exists already counts
as done. Red `send`: DACS has not taken everything yet and the rest goes by itself; or a message is PARKED and a
person must decide, and the log says which. Red `answer`: DERMS could not be told yet; that is tried again by
itself, no request is repeated.

**Run it again** trigger it with an empty form: everything that waits. One message: give its number, ours or the
one its sender gave it. What was refused, once the cause is gone: the number and `resend = failed`; what is
PARKED: `resend = unknown`. Look first: `dry_run`. A day: a backfill, always with `--reprocess-behavior
completed`. Clearing a task resumes. What was accepted is never sent again unless you choose `all`.
"""

from airflow.sdk import DAG

from drbridge_airflow.operators import Answer, Send
from drbridge_airflow.policies import FLOW_SETTINGS, params, schedule_of

with DAG(
    "derms_dacs_enrollment_request",
    dag_display_name="Enrollment requests: DERMS to DACS",
    doc_md=__doc__,
    tags=["enrollment", "DERMS", "DACS"],
    schedule=schedule_of("derms_dacs_enrollment_request"),
    params=params(),
    **FLOW_SETTINGS,
):
    send = Send(task_id="send")
    answer = Answer(task_id="answer")
    send >> answer
