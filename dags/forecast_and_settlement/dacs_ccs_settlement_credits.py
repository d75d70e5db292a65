"""What customers are owed for taking part travels from DACS to the CIS's billing, byte for byte, and behind each file
the control record that DACS lays beside it (`<file>.control.json`: rows, sum of the amounts per currency, sha256).

**Starts** when a file and its control record are whole in DACS's settlement folder (or bucket), when something
unfinished is due again, and at midnight UTC as a sweep. A run works on every file that has its record; the log of
`files_waiting` names those that wait for one.

**Ends** green, and the file is called `Sent-...`: the same bytes lie in the CIS's folder or bucket, then the
record. A file that is not what its record says goes nowhere: red `archive`, it is called `Error-...`, and the
reason names both totals. Its record is renamed with it. A row that cannot be read is in no total, so a file is
passed on with flagged rows only when the record leaves them out, too.

**Run it again** trigger it with an empty form: everything that waits. One file: give its name or a pattern. A
file whose totals differed: have DACS write both again under a new name; or correct the record, and give both
their old names back. A day: a backfill, always with `--reprocess-behavior completed`. Clearing a task resumes.
What arrived is never put there again unless you choose `all`.
"""

from airflow.sdk import DAG

from drbridge_airflow.operators import Archive, Relay
from drbridge_airflow.policies import FLOW_SETTINGS, params, schedule_of
from drbridge_airflow.sensors import FilesWaiting

with DAG(
    "dacs_ccs_settlement_credits",
    dag_display_name="Settlement credits: DACS to CIS",
    doc_md=__doc__,
    tags=["forecast and settlement", "DACS", "CIS"],
    schedule=schedule_of("dacs_ccs_settlement_credits"),
    params=params(),
    **FLOW_SETTINGS,
):
    files_waiting = FilesWaiting(task_id="files_waiting")
    relay = Relay.each(files_waiting)
    archive = Archive.each(files_waiting)
    files_waiting >> relay >> archive
