"""DACS's yes or no to customers of the CIS travels back to the CIS (CCS): one call for each sync request that a
message answers.

**Starts** when a message of DACS is in the inbox, when something unfinished is due again, and at midnight UTC
as a sweep. A run works on every message that waits, and stays a few seconds for the next.

**Ends** green: the CIS has every acknowledgement; one of a sync request that was final before counts as done.
Red `send`: the CIS has not taken everything yet and the rest goes by itself; or one was refused (the CIS does
not know the sync request) or is PARKED: the log says which, and a person must look.

**Run it again** trigger it with an empty form: everything that waits. One message: give its number, ours or the
one its sender gave it. What was refused, once the cause is gone: the number and `resend = failed`; what is
PARKED: `resend = unknown`. Look first: `dry_run`. A day: a backfill, always with `--reprocess-behavior
completed`. Clearing a task resumes. What was accepted is never sent again unless you choose `all`.
"""

from airflow.sdk import DAG

from drbridge_airflow.operators import Send
from drbridge_airflow.policies import FLOW_SETTINGS, params, schedule_of

with DAG(
    "dacs_ccs_customers_ack",
    dag_display_name="Customers acknowledgements: DACS to CCS",
    doc_md=__doc__,
    tags=["master data", "DACS", "CCS"],
    schedule=schedule_of("dacs_ccs_customers_ack"),
    params=params(),
    **FLOW_SETTINGS,
):
    Send(task_id="send")
