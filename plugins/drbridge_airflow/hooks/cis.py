"""The CIS (CCS) as an Airflow hook."""

from __future__ import annotations

from drbridge_airflow.hooks.framework import FrameworkHook


class CisHook(FrameworkHook):
    """The customer system: it hears what DACS made of the customers it has sent."""

    hook_name = "CIS"
    default_conn_name = "ccs_rest"
    who = "The CIS"
