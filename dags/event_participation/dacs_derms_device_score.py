"""Device scores travel from DACS to DERMS: each file's header and good rows go out as one attachment.

**Starts** when a file is whole in DACS's score folder (or bucket), when something unfinished is due again, and
at midnight UTC as a sweep. A run works on every file that waits, whatever woke it.

**Ends** green, and the file is called `Sent-...`: every row was accepted by DERMS, or set aside with its line
and reason in `rejects/` beside it. Red `archive`: the file was refused and is called `Error-...`, or DERMS has
not taken all of it yet and the rest goes by itself. Skipped `archive`: a person must decide, and its log says
what to ask DERMS and which `resend` to choose.

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
    "dacs_derms_device_score",
    dag_display_name="Device scores: DACS to DERMS",
    doc_md=__doc__,
    tags=["event participation", "DACS", "DERMS"],
    schedule=schedule_of("dacs_derms_device_score"),
    params=params(),
    **FLOW_SETTINGS,
):
    files_waiting = FilesWaiting(task_id="files_waiting")
    take = Take.each(files_waiting)
    send = Send(task_id="send")
    archive = Archive.each(files_waiting)
    files_waiting >> take >> send >> archive
