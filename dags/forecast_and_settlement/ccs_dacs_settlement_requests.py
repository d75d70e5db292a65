"""Whose savings are to be settled, and for which days, travels from the CIS to DACS, byte for byte; DACS settles and
answers with credits, which `dacs_ccs_settlement_credits` brings back.

**Starts** when a file is whole in the CIS's settlement folder (or bucket), when something unfinished is due again,
and at midnight UTC as a sweep. A run works on every file that waits, whatever woke it.

**Ends** green, and the file is called `Sent-...`: the same bytes lie in DACS's bucket or folder, row for row. Rows
with a problem are flagged and travel along; a file that is broken, or has too many such rows, is not passed on:
red `archive`, the file is called `Error-...`, the reasons lie in `rejects/` beside it.

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
    "ccs_dacs_settlement_requests",
    dag_display_name="Settlement requests: CIS to DACS",
    doc_md=__doc__,
    tags=["forecast and settlement", "CIS", "DACS"],
    schedule=schedule_of("ccs_dacs_settlement_requests"),
    params=params(),
    **FLOW_SETTINGS,
):
    files_waiting = FilesWaiting(task_id="files_waiting")
    relay = Relay.each(files_waiting)
    archive = Archive.each(files_waiting)
    files_waiting >> relay >> archive
