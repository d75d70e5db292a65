"""DACS's question whether a device can be reached travels to the DERMS of its division. The result comes later, as
a message of its own: `derms_dacs_device_status_ack`. Only when DERMS refuses the question is DACS told FAILURE
from here.

**Starts** when a message of DACS is in the inbox, when something unfinished is due again, and at midnight UTC
as a sweep. A run works on every message that waits, and stays a few seconds for the next.

**Ends** green: DERMS has every question, or refused it and DACS knows. Red `send`: DERMS has not taken
everything yet and the rest goes by itself; or a question is PARKED and a person must decide, and the log says
which. Red `answer`: DACS could not be told of a refusal yet; that is tried again by itself.

**Run it again** trigger it with an empty form: everything that waits. One message: give its number, ours or the
one its sender gave it. What was refused, once the cause is gone: the number and `resend = failed`; what is
PARKED: `resend = unknown`. Look first: `dry_run`. A day: a backfill, always with `--reprocess-behavior
completed`. Clearing a task resumes. What was accepted is never sent again unless you choose `all`.
"""

from airflow.sdk import DAG

from drbridge_airflow.operators import Answer, Send
from drbridge_airflow.policies import FLOW_SETTINGS, params, schedule_of

with DAG(
    "dacs_derms_device_status_check",
    dag_display_name="Device status checks: DACS to DERMS",
    doc_md=__doc__,
    tags=["enrollment", "DACS", "DERMS"],
    schedule=schedule_of("dacs_derms_device_status_check"),
    params=params(),
    **FLOW_SETTINGS,
):
    send = Send(task_id="send")
    answer = Answer(task_id="answer")
    send >> answer
