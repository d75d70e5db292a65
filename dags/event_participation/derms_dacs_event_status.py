"""What happens to the stages of an event travels from DERMS to DACS, which keeps a program event for each:
SCHEDULED makes one, IN PROGRESS, COMPLETED and CANCELED move it on. DACS is never asked for an illegal step. A
cancelled event cancels its stages that are still scheduled. DERMS is sent an answer for each message.

**Starts** when a message of DERMS is in the inbox, when something unfinished is due again, and at midnight UTC
as a sweep. A run works on every message that waits, and stays a few seconds for the next.

**Ends** green: DACS has every step; one it had already, or that was overtaken, did not go. A step that comes
before its predecessor waits for it, up to 15 minutes; the run is green meanwhile. A step that cannot be is
refused, and DERMS is told. Red `send`: DACS has not taken everything yet and the rest goes by itself; or a
message is PARKED (its predecessor did not come, or a stage was scheduled again with other times) and a person
must decide: the log says which. Red `answer`: DERMS could not be told yet; that is tried again by itself.

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
    "derms_dacs_event_status",
    dag_display_name="Event status: DERMS to DACS",
    doc_md=__doc__,
    tags=["event participation", "DERMS", "DACS"],
    schedule=schedule_of("derms_dacs_event_status"),
    params=params(),
    **FLOW_SETTINGS,
):
    send = Send(task_id="send")
    answer = Answer(task_id="answer")
    send >> answer
