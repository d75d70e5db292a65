"""The tasks a flow is built from."""

from drbridge_airflow.operators.archive import Archive
from drbridge_airflow.operators.relay import Relay
from drbridge_airflow.operators.release import Decide, WhatWaits
from drbridge_airflow.operators.send import Answer, Send
from drbridge_airflow.operators.take import Take
from drbridge_airflow.operators.wake import WakeDueFlows
from drbridge_airflow.operators.watch import CheckSystems, Housekeeping, OverdueAnswers, Reconcile

__all__ = [
    "Answer",
    "Archive",
    "CheckSystems",
    "Decide",
    "Housekeeping",
    "OverdueAnswers",
    "Reconcile",
    "Relay",
    "Send",
    "Take",
    "WakeDueFlows",
    "WhatWaits",
]
