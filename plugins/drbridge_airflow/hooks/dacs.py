"""DACS (sold as CPMCS today) as an Airflow hook."""

from __future__ import annotations

from drbridge_airflow.hooks.dacs_enrollments import DacsEnrollments
from drbridge_airflow.hooks.dacs_events import DacsEvents
from drbridge_airflow.hooks.told import Aggregator, aggregators_of


class DacsHook(DacsEnrollments, DacsEvents):
    """The system of programs and enrollments: its published REST services by name.

    Example:
        with DacsHook(run=run_id) as dacs:
            dacs.enroll(message)
    """

    hook_name = "DACS"
    default_conn_name = "dacs_rest"
    who = "DACS"

    def der_aggregators(self) -> tuple[Aggregator, ...]:
        """The aggregators DACS has; one that was deleted is not among them."""
        return aggregators_of(self._get("/rest/apis/cross/digitalAssets/derAggregators"))
