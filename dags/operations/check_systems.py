"""Looks whether every system can be reached: as whom, in which version, and how long it took.

It logs in to every connection that systems.toml names, lists every folder and bucket, lays a hidden file down and takes
it away again wherever drbridge writes or renames, and asks every REST side for the path in the extra `health_path` of
its connection. No flow is touched.

**Starts** hourly.

**Ends** green when everything can be worked with; the log has one line for each place. Red: the last lines say what is
wrong, and who must do what. The owners are told once, until it is green again.

**Run it again** at any time: trigger it, or say `drbridge connections`.
"""

from airflow.sdk import DAG, CronTriggerTimetable

from drbridge_airflow.operators import CheckSystems
from drbridge_airflow.policies import FLOW_SETTINGS

with DAG(
    "check_systems",
    dag_display_name="Check systems: who can be reached, as whom, in which version",
    doc_md=__doc__,
    tags=["operations"],
    schedule=CronTriggerTimetable("17 * * * *", timezone="UTC"),
    **FLOW_SETTINGS | {"max_active_runs": 1},
):
    CheckSystems(task_id="check_systems")
