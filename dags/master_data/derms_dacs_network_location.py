"""Which transformer, feeder and substation each service point hangs on travels from DERMS to DACS, byte for byte:
the whole network once (`FULL`), then what changed (`DELTA`).

**Starts** when a file is whole in DERMS's network folder (or bucket) or came by REST into the inbox, when something
unfinished is due again, and at midnight UTC as a sweep. A run works on every file that waits, whatever woke it.

**Ends** green, and the file is called `Sent-...`: the same bytes lie in DACS's bucket or folder. Rows with a
problem, two periods of one service point that overlap among them, are flagged and travel along; a file that is
broken, or has too many such rows, is not passed on: red `archive`, the file is called `Error-...`, the reasons
lie in `rejects/` beside it.

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
    "derms_dacs_network_location",
    dag_display_name="Network locations: DERMS to DACS",
    doc_md=__doc__,
    tags=["master data", "DERMS", "DACS"],
    schedule=schedule_of("derms_dacs_network_location"),
    params=params(),
    **FLOW_SETTINGS,
):
    files_waiting = FilesWaiting(task_id="files_waiting")
    relay = Relay.each(files_waiting)
    archive = Archive.each(files_waiting)
    files_waiting >> relay >> archive
