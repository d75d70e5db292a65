"""The devices that are reserved for a stage of an event travel from DERMS to DACS: one message with one file for each
stage, in chunks of rows; DERMS is sent an answer when all of a stage is done.

**Starts** when message and file are in the inbox, when something unfinished is due again, and at midnight UTC as a
sweep. A run works on every list that waits, whatever woke it. A list waits up to two minutes for its stage to be
scheduled at DACS, and DACS's health check is asked before anything is sent.

**Ends** green, and the list is called `Sent-...` in the inbox: every device was reserved, or set aside with its line
and reason. Red `archive`: the list was refused and is called `Error-...`, or DACS has not taken all of it yet and the
rest goes by itself. Skipped `archive`: a person must decide, and its log says what to ask DACS and which `resend` to
choose. Red `answer`: DERMS could not be told yet; that is tried again by itself, and the rows are not touched.

**Run it again** trigger it with an empty form: everything that waits. One list: give its name, `RESERVE_` and the
number that DERMS was told. What was refused, once the cause is gone: give the list and `resend = failed`. Look first:
`dry_run`. A day: a backfill, always with `--reprocess-behavior completed`. Clearing a task resumes. What was accepted
is never sent again unless you choose `all`.
"""

from airflow.sdk import DAG

from drbridge_airflow.operators import Answer, Archive, Send, Take
from drbridge_airflow.policies import FLOW_SETTINGS, params, schedule_of
from drbridge_airflow.sensors import FilesWaiting

with DAG(
    "derms_dacs_device_reservation",
    dag_display_name="Device reservations: DERMS to DACS",
    doc_md=__doc__,
    tags=["event participation", "DERMS", "DACS"],
    schedule=schedule_of("derms_dacs_device_reservation"),
    params=params(),
    **FLOW_SETTINGS,
):
    files_waiting = FilesWaiting(task_id="files_waiting")
    take = Take.each(files_waiting)
    send = Send(task_id="send")
    archive = Archive.each(files_waiting)
    answer = Answer(task_id="answer")
    files_waiting >> take >> send >> [archive, answer]
