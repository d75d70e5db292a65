"""Lists what is overdue: requests whose yes or no did not come, enrollment rows that OUAI did not acknowledge, and
deliveries that have not ended: held, in doubt, or simply not delivered yet. It sends nothing.

How long is too long: `answer_within` of the flow in systems.toml; without it 30 minutes for device status checks, an
hour for event statuses, 2 hours for device reservations, 4 hours for enrollment changes, 2 days for enrollment files,
and a day for everything else. A missing answer is listed for a week.

**Starts** every ten minutes.

**Ends** green when nothing is overdue. Red: its log has a line for each flow, which requests and files they are, and
the next step. The owners are told once, until it is green again.

**Run it again** at any time: trigger it, or say `drbridge overdue`.
"""

from airflow.sdk import DAG, CronTriggerTimetable

from drbridge_airflow.operators import OverdueAnswers
from drbridge_airflow.policies import FLOW_SETTINGS

with DAG(
    "overdue_answers",
    dag_display_name="Overdue answers: what did not come or end in time",
    doc_md=__doc__,
    tags=["operations"],
    schedule=CronTriggerTimetable("*/10 * * * *", timezone="UTC"),
    **FLOW_SETTINGS | {"max_active_runs": 1},
):
    OverdueAnswers(task_id="overdue_answers")
