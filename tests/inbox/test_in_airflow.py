"""The inbox in a real API server: callers are Airflow's users, and may send what they may trigger."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from drbridge.inbox.paths import DOORS, PUBLISHED_PREFIX, SHORT_PREFIX
from drbridge.ledger.database import Ledger
from drbridge.ledger.tables import messages
from tests.inbox.airflow_server import PASSWORDS, api_server
from tests.inbox.serving import OUTCOME, OUTCOME_FILE, STATUS, Inbox, path_of, status
from tests.inbox.test_refusals import problem

pytestmark = pytest.mark.timeout(300)  # about 40 s when nothing else runs
(STATUS_DOOR,) = [door for door in DOORS if door.noun == "event_status"]


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inbox]:
    folder = tmp_path_factory.mktemp("airflow")
    ledger = Ledger(f"sqlite:///{folder}/ledger.db")
    with api_server(folder) as url, httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
        yield Inbox(url, client, ledger, folder / "staging")
    ledger.close()


def token(airflow: Inbox, name: str) -> str:
    login = {"username": name, "password": PASSWORDS[name]}
    return str(airflow.client.post("/auth/token", json=login).json()["access_token"])


@pytest.mark.parametrize("path", [path_of(STATUS_DOOR, True), path_of(STATUS_DOOR, False)], ids=["published", "short"])
def test_basic_and_bearer_both_sign_in_at_both_paths(airflow: Inbox, path: str) -> None:
    by_basic = airflow.client.post(path, json=status(path[-9:]), auth=("derms", PASSWORDS["derms"]))
    by_token = airflow.client.post(
        path, json=status(path[-9:]), headers={"Authorization": f"Bearer {token(airflow, 'derms')}"}
    )
    assert (by_basic.status_code, by_token.status_code) == (202, 202)
    assert by_basic.json() == by_token.json()
    found = airflow.client.get(by_basic.headers["location"], auth=("derms", PASSWORDS["derms"]))
    assert (found.status_code, found.json()["state"]) == (200, "under way")
    with airflow.ledger.read() as tx:
        assert set(tx.execute(messages.select()).mappings().all()[-1]["caller"].split()) == {"derms"}


def test_files_are_taken_there_too(airflow: Inbox) -> None:
    file = (OUTCOME_FILE.name, OUTCOME_FILE.read_bytes())
    told = airflow.client.post(OUTCOME, files={"file": file}, auth=("derms", PASSWORDS["derms"]))
    assert told.status_code == 202
    assert list(airflow.posted_files()) == [OUTCOME_FILE.name]


def test_a_wrong_password_or_token_is_401(airflow: Inbox) -> None:
    stranger = token(airflow, "derms")[:-4] + "AAAA"
    before = airflow.count(messages)
    for header in (None, f"Bearer {stranger}", "Bearer x", "Bearer ", "Basic eDp5"):
        headers = {"Authorization": header.strip()} if header else {}
        problem(airflow.client.post(STATUS, json=status("wrong"), headers=headers), 401)
    for name, password in (("derms", "wrong"), ("nobody", "x"), ("derms", ""), ("", "")):
        problem(airflow.client.post(STATUS, json=status("wrong"), auth=(name, password)), 401)
    assert airflow.count(messages) == before


def test_who_may_not_trigger_the_dag_is_403(airflow: Inbox) -> None:
    looker = ("looker", PASSWORDS["looker"])
    before = airflow.count(messages)
    assert (
        "derms_dacs_event_status" in problem(airflow.client.post(STATUS, json=status("l"), auth=looker), 403)["detail"]
    )
    problem(airflow.client.post(OUTCOME, files={"file": ("EVENT_OUTCOME_9.csv", b"1")}, auth=looker), 403)
    where = airflow.client.post(STATUS, json=status("own"), auth=("admin", PASSWORDS["admin"])).headers["location"]
    problem(airflow.client.get(where, auth=looker), 403)
    assert airflow.count(messages) == before + 1


def test_each_page_of_the_api_is_there(airflow: Inbox) -> None:
    for prefix in (SHORT_PREFIX, PUBLISHED_PREFIX):
        assert airflow.client.get(f"{prefix}/docs").status_code == 200
        assert airflow.client.get(f"{prefix}/openapi.json").json()["info"]["title"] == "drbridge inbox"
        problem(airflow.client.post(f"{prefix}/nothing"), 404)


def test_airflows_own_list_of_plugins_names_both(airflow: Inbox) -> None:
    headers = {"Authorization": f"Bearer {token(airflow, 'admin')}"}
    plugins = airflow.client.get("/api/v2/plugins", headers=headers).json()["plugins"]
    (ours,) = [plugin for plugin in plugins if plugin["name"] == "drbridge"]
    assert [app["url_prefix"] for app in ours["fastapi_apps"]] == [SHORT_PREFIX, PUBLISHED_PREFIX]
