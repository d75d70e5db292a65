"""What each device did in an event travels from DERMS to DACS, in chunks of rows; DERMS is sent an answer per
file. `derms_ouai_event_outcome` carries the same files to OUAI; each succeeds or fails alone, and the last to
end renames them.

**Starts** when a file is whole in DERMS's outcome folder (or bucket) or came by REST into the inbox, when something
unfinished is due again, and at midnight UTC as a sweep. A run works on every file that waits, whatever woke it.

**Ends** green, and the file is called `Sent-...`: every row was accepted by DACS, or set aside with its line
and reason in `rejects/` beside it. Red `archive`: the file was refused and is called `Error-...`, or DACS has
not taken all of it yet and the rest goes by itself. Skipped `archive`: a person must decide, and its log says
what to ask DACS and which `resend` to choose. Red `answer`: DERMS could not be told yet; that is tried again by
itself, and the rows are not touched. Four tasks `send` share a large file, on as many workers as there are; one that
finds no part of it free ends green.

**Run it again** trigger it with an empty form: everything that waits. One file: give its name or a pattern.
What was refused, once the cause is gone: give the file and `resend = failed`. Look first: `dry_run`. A day: a
backfill, always with `--reprocess-behavior completed`. Clearing a task resumes. What was accepted is never sent
again unless you choose `all`.
"""

from airflow.sdk import DAG

from drbridge_airflow.operators import Answer, Archive, Send, Take
from drbridge_airflow.policies import FLOW_SETTINGS, params, schedule_of
from drbridge_airflow.sensors import FilesWaiting

with DAG(
    "derms_dacs_event_outcome",
    dag_display_name="Event outcomes: DERMS to DACS",
    doc_md=__doc__,
    tags=["event participation", "DERMS", "DACS"],
    schedule=schedule_of("derms_dacs_event_outcome"),
    params=params(),
    **FLOW_SETTINGS,
):
    files_waiting = FilesWaiting(task_id="files_waiting")
    take = Take.each(files_waiting)
    send = Send.shared_by(4)
    archive = Archive.each(files_waiting)
    answer = Answer(task_id="answer")
    files_waiting >> take >> send >> [archive, answer]
