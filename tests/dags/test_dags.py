"""Every DAG file reads like a page, loads without a sound, and costs next to nothing to read."""

from __future__ import annotations

from tests import airflow_settings  # before Airflow is imported

# isort: split

import ast
import http
import json
import subprocess
import sys
import sysconfig
import warnings
from pathlib import Path
from typing import Any

import pytest

from drbridge.inbox.paths import PUBLISHED_PREFIX, SHORT_PREFIX
from drbridge.systems import DEFAULT_FILE, load

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "dags").rglob("*.py"))
FLOWS = load(DEFAULT_FILE).flows
HEAVY = ("polars", "pandas", "numpy", "boto3", "botocore", "asyncssh", "paramiko", "aiohttp", "requests", "alembic")
SECONDS_TO_READ_ALL = 2.0
LOGIC = (ast.If, ast.For, ast.While, ast.Try, ast.FunctionDef, ast.ClassDef, ast.Lambda, ast.ListComp, ast.IfExp)

assert airflow_settings


@pytest.fixture(scope="session")
def dags() -> dict[str, Any]:
    from airflow.dag_processing.dagbag import DagBag

    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        bag = DagBag(str(ROOT / "dags"))
    assert bag.import_errors == {}
    assert [str(each.message) for each in heard if str(ROOT / "dags") in str(each.filename)] == []
    assert not any(bag.captured_warnings.values())
    return dict(bag.dags)


def test_every_flow_of_systems_toml_has_its_dag_in_the_folder_of_its_process() -> None:
    found = {path.stem: path.parent.name for path in FILES if path.parent.name != "operations"}
    assert found == {name: flow.process for name, flow in FLOWS.items()}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_dag_file_is_one_page_without_logic(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 60
    assert [type(node).__name__ for node in ast.walk(ast.parse(text)) if isinstance(node, LOGIC)] == []
    assert {name.split(".")[0] for name in _imports(text)} <= {"airflow", "drbridge_airflow", "datetime"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_dags_page_says_how_it_starts_ends_and_runs_again(path: Path, dags: dict[str, Any]) -> None:
    page = dags[path.stem].doc_md
    assert [head for head in ("**Starts**", "**Ends**", "**Run it again**") if head not in page] == []


@pytest.mark.parametrize("flow", FLOWS.values(), ids=lambda flow: flow.name)
def test_a_flow_has_its_title_tags_form_and_limits(flow: Any, dags: dict[str, Any]) -> None:
    dag = dags[flow.name]
    assert dag.dag_display_name == flow.title
    assert flow.process.replace("_", " ") in dag.tags
    assert len(dag.tags) == 3
    assert set(dag.params) == {
        "file", "since", "until", "resend", "reason", "program", "destination", "why", "dry_run",
    }  # fmt: skip
    assert (dag.max_active_runs, dag.catchup, dag.start_date.year) == (3, False, 2020)
    assert {task.retries for task in dag.tasks} == {2}
    assert all(task.retry_policy for task in dag.tasks)


def test_resume_goes_on_beside_a_run_that_died_and_tries_again_by_cause_as_the_flows_do(dags: dict[str, Any]) -> None:
    resume = dags["resume"]
    assert (resume.max_active_runs, resume.catchup) == (3, False)
    assert {type(task.retry_policy).__name__ for task in resume.tasks} == {"ByCause"}


@pytest.mark.parametrize("flow", FLOWS.values(), ids=lambda flow: flow.name)
def test_a_flows_chain_does_what_its_destinations_need(flow: Any, dags: dict[str, Any]) -> None:
    names = set(dags[flow.name].task_ids)
    systems = load(DEFAULT_FILE)
    sends = any(name in systems.endpoints for name in flow.deliver)
    relays = any(name in systems.stores for name in flow.deliver)
    of_files = {"files_waiting", "archive"} | ({"take"} if sends else set()) if flow.source else set()
    expected = of_files | ({"send"} if sends else set()) | ({"relay"} if relays else set())
    assert names == expected | ({"answer"} if flow.answer else set())


@pytest.mark.parametrize("flow", FLOWS.values(), ids=lambda flow: flow.name)
def test_a_flow_has_as_many_tasks_that_send_as_a_large_file_is_cut_for(flow: Any, dags: dict[str, Any]) -> None:
    endpoints = load(DEFAULT_FILE).endpoints
    senders = max((endpoints[name].senders for name in flow.deliver if name in endpoints), default=0)
    task = dags[flow.name].task_dict.get("send")
    mapped = getattr(task, "expand_input", None)
    assert (len(mapped.value["sender"]) if mapped else int(task is not None)) == senders


def test_the_verdict_on_each_file_is_a_leaf_and_so_decides_about_the_run(dags: dict[str, Any]) -> None:
    for name, flow in FLOWS.items():
        leaves = {task.task_id for task in dags[name].leaves}
        assert leaves == ({"archive"} if flow.source else set()) | ({"answer"} if flow.answer else set()) or {"send"}
        assert {dags[name].get_task(leaf).trigger_rule for leaf in leaves} == {"all_done"}


def test_a_flow_is_woken_by_arrivals_and_can_be_backfilled_by_day(dags: dict[str, Any]) -> None:
    for name in FLOWS:
        timetable = dags[name].timetable
        assert [asset.name for asset in timetable.asset_condition.objects] == [f"wake {name}"]
        assert timetable.timetable.expression == "0 0 * * *"
        assert timetable.can_be_scheduled


def test_reading_all_dag_files_loads_nothing_heavy() -> None:
    code = f"""
import importlib.util, json, sys, time
import airflow.sdk
sys.path.insert(0, {str(ROOT / "plugins")!r})
started = time.perf_counter()
for number, path in enumerate({[str(path) for path in FILES]!r}):
    spec = importlib.util.spec_from_file_location(f"dag_{{number}}", path)
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
seconds = time.perf_counter() - started
ours = sorted(name for name in sys.modules if name.startswith("drbridge."))
print(json.dumps([sorted(set(sys.modules) & set({HEAVY!r})), ours, seconds]))
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy, ours, seconds = json.loads(told.stdout.splitlines()[-1])
    assert heavy == []
    assert ours == ["drbridge.errors"]
    assert seconds < SECONDS_TO_READ_ALL


def test_the_plugin_loads_and_replaces_no_module_of_python() -> None:
    from airflow import plugins_manager

    plugins, errors = plugins_manager._get_plugins()
    assert errors == {}
    assert [plugin.name for plugin in plugins if plugin.name and "drbridge" in plugin.name] == ["drbridge"]
    assert Path(str(http.__file__)).is_relative_to(sysconfig.get_path("stdlib"))
    assert "drbridge_airflow/" in (ROOT / "plugins" / ".airflowignore").read_text(encoding="utf-8").split()


def test_loading_the_plugin_loads_nothing_of_the_inbox() -> None:
    """Every worker and every process that reads DAGs loads it; only the API server asks it for its apps."""
    code = """
import json, sys
from airflow.sdk import plugins_manager
(ours,) = [plugin for plugin in plugins_manager._get_plugins()[0] if plugin.name == "drbridge"]
before = sorted(name for name in sys.modules if name.split(".")[0] in ("drbridge", "drbridge_airflow"))
apps = ours.fastapi_apps
print(json.dumps([before, "drbridge.inbox.app" in sys.modules, [app["url_prefix"] for app in apps]]))
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    before, served, prefixes = json.loads(told.stdout.splitlines()[-1])
    assert before == []
    assert served
    assert prefixes == [SHORT_PREFIX, PUBLISHED_PREFIX]


def _imports(text: str) -> list[str]:
    nodes = list(ast.walk(ast.parse(text)))
    plain = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    return plain + [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
