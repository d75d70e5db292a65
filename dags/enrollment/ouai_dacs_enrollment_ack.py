"""OUAI's answers to enrollments travel to DACS: each row updates one sync request, which ends Synchronized or
Error there.

**Starts** when a file is whole in OUAI's acknowledgement folder (or bucket), when something unfinished is due
again, and at midnight UTC as a sweep. A run works on every file that waits, whatever woke it.

**Ends** green, and the file is called `Sent-...`: every row was accepted by DACS, or set aside with its line
and reason in `rejects/` beside it. Red `archive`: the file was refused and is called `Error-...`, or DACS has
not taken all of it yet and the rest goes by itself. Skipped `archive`: a person must decide, and its log says
what to ask DACS and which `resend` to choose. Two tasks `send` share a large file, on as many workers as there are;
one that finds no part of it free ends green.

**Run it again** trigger it with an empty form: everything that waits. One file: give its name or a pattern.
What was refused, once the cause is gone: give the file and `resend = failed`. Look first: `dry_run`. A day: a
backfill, always with `--reprocess-behavior completed`. Clearing a task resumes. What was accepted is never sent
again unless you choose `all`.
"""

from airflow.sdk import DAG

from drbridge_airflow.operators import Archive, Send, Take
from drbridge_airflow.policies import FLOW_SETTINGS, params, schedule_of
from drbridge_airflow.sensors import FilesWaiting

with DAG(
    "ouai_dacs_enrollment_ack",
    dag_display_name="Enrollment acknowledgements: OUAI to DACS",
    doc_md=__doc__,
    tags=["enrollment", "OUAI", "DACS"],
    schedule=schedule_of("ouai_dacs_enrollment_ack"),
    params=params(),
    **FLOW_SETTINGS,
):
    files_waiting = FilesWaiting(task_id="files_waiting")
    take = Take.each(files_waiting)
    send = Send.shared_by(2)
    archive = Archive.each(files_waiting)
    files_waiting >> take >> send >> archive
