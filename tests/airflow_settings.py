"""Airflow's settings for tests that import it: a home of its own, our DAGs and plugins. Import this before Airflow."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

if "airflow" not in sys.modules:
    _home = tempfile.TemporaryDirectory(prefix="drbridge-airflow-")
    os.environ.update({
        "AIRFLOW_HOME": _home.name,
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{_home.name}/airflow.db?timeout=60",
    })
