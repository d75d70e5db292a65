"""Contacts, service points and service agreements of customers travel from the CIS to DACS, byte for byte, zipped or
not. `ccs_derms_customers` carries the same files to DERMS; each succeeds or fails alone, and the last to end
renames them.

**Starts** when a file is whole in the CIS's customer folder (or bucket), when something unfinished is due again,
and at midnight UTC as a sweep. A run works on every file whose turn has come: of one load (initial: IL, changes:
EX) service points wait until no contacts are left to deliver, and service agreements until no service points are.
The log of `files_waiting` says what waits for what; the next run, some seconds later, goes on with it.

**Ends** green, and the file is called `Sent-...`: the same bytes lie in DACS's bucket or folder. Rows with a
problem are flagged and travel along; a file that is broken, or has too many such rows, is not passed on: red
`archive`, the file is called `Error-...`, the reasons lie in `rejects/` beside it, and nothing waits for it any
more. These are personal data: no reason repeats what stands in a row, only `rejects/` holds the rows themselves.

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
    "ccs_dacs_customers",
    dag_display_name="Customers: CIS to DACS",
    doc_md=__doc__,
    tags=["master data", "CIS", "DACS"],
    schedule=schedule_of("ccs_dacs_customers"),
    params=params(),
    **FLOW_SETTINGS,
):
    files_waiting = FilesWaiting(task_id="files_waiting")
    relay = Relay.each(files_waiting)
    archive = Archive.each(files_waiting)
    files_waiting >> relay >> archive
