"""Contacts, service points and service agreements of customers travel from the CIS to DERMS: each file's header and
good rows go out as one attachment. `ccs_dacs_customers` carries the same files to DACS; each succeeds or fails
alone, and the last to end renames them.

**Starts** when a file is whole in the CIS's customer folder (or bucket), when something unfinished is due again,
and at midnight UTC as a sweep. A run works on every file whose turn has come: of one load (initial: IL, changes:
EX) service points wait until no contacts are left to deliver, and service agreements until no service points are.
The log of `files_waiting` says what waits for what; the next run, some seconds later, goes on with it.

**Ends** green, and the file is called `Sent-...`: every row was accepted by DERMS, or set aside with its line and
reason in `rejects/` beside it; the reason never repeats what stands in the row. Red `archive`: the file was
refused and is called `Error-...`, or DERMS has not taken all of it yet and the rest goes by itself. Skipped
`archive`: a person must decide, and its log says what to ask DERMS and which `resend` to choose.

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
    "ccs_derms_customers",
    dag_display_name="Customers: CIS to DERMS",
    doc_md=__doc__,
    tags=["master data", "CIS", "DERMS"],
    schedule=schedule_of("ccs_derms_customers"),
    params=params(),
    **FLOW_SETTINGS,
):
    files_waiting = FilesWaiting(task_id="files_waiting")
    take = Take.each(files_waiting)
    send = Send(task_id="send")
    archive = Archive.each(files_waiting)
    files_waiting >> take >> send >> archive
