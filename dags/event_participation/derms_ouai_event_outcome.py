"""What each device did in an event travels from DERMS to OUAI's object storage, byte for byte.
`derms_dacs_event_outcome` carries the same files to DACS; each succeeds or fails alone, and the last to end
renames them.

**Starts** when a file is whole in DERMS's outcome folder (or bucket) or came by REST into the inbox, when something
unfinished is due again, and at midnight UTC as a sweep. A run works on every file that waits, whatever woke it.

**Ends** green, and the file is called `Sent-...`: the same bytes lie in OUAI's bucket. Rows with a problem are
flagged and travel along; a file that is broken, or has too many such rows, is not passed on: red `archive`, the
file is called `Error-...`, the reasons lie in `rejects/` beside it.

**Run it again** trigger it with an empty form: everything that waits. One file: give its name or a pattern. A
file that was refused: correct it at its source, or give the file and `resend = failed`. A day: a backfill,
always with `--reprocess-behavior completed`. Clearing a task resumes. What arrived is never put there again
unless you choose `all`.
"""

from airflow.sdk import DAG

from drbridge_airflow.operators import Archive, Relay
from drbridge_airflow.policies import FLOW_SETTINGS, params, schedule_of
from drbridge_airflow.sensors import FilesWaiting

with DAG(
    "derms_ouai_event_outcome",
    dag_display_name="Event outcomes: DERMS to OUAI",
    doc_md=__doc__,
    tags=["event participation", "DERMS", "OUAI"],
    schedule=schedule_of("derms_ouai_event_outcome"),
    params=params(),
    **FLOW_SETTINGS,
):
    files_waiting = FilesWaiting(task_id="files_waiting")
    relay = Relay.each(files_waiting)
    archive = Archive.each(files_waiting)
    files_waiting >> relay >> archive
