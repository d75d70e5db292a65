"""`drbridge connections` asks the real other sides, and says of each place what is right or wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from drbridge.adapters.looking import places_of
from drbridge.cli import app
from drbridge.systems import load
from drbridge_sandbox.sandbox import Sandbox
from drbridge_sandbox.window import write_connections
from tests.bricks.files import SCORES

HEALTH = "/rest/apis/common/healthCheck"


def looked(exit_code: int) -> dict[tuple[str, str], dict[str, Any]]:
    told = CliRunner().invoke(app, ["connections", "--json"])
    assert told.exit_code == exit_code, told.stderr
    return {(each["connection"], each["place"]): each for each in json.loads(told.stdout)}


def spoil(box: Sandbox, monkeypatch: pytest.MonkeyPatch, conn_id: str, **changed: object) -> None:
    told = box.connections()[conn_id] | changed
    monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(told))


def test_everything_that_the_flows_use_is_looked_at(box: Sandbox) -> None:
    box.drop(SCORES, "SDCSE_1.csv", b"x")
    found = looked(0)
    assert {conn_id for conn_id, _ in found} == set(places_of(load()))
    assert found["dacs_files", SCORES]["text"] == "1 files; can be written to"
    assert set(box.files(SCORES)) == {"SDCSE_1.csv"}
    assert found["dacs_files", SCORES]["who"].endswith(f" at 127.0.0.1:{box.servers['dacs'].port}")
    assert found["derms_rest", "/health"]["who"].startswith("drbridge at http://127.0.0.1:")
    assert found["dacs_rest", HEALTH]["version"] == "26.4"
    assert all(each["seconds"] > 0 for each in found.values())
    assert found["ouai_objects", "s3://ouai_objects/ouai/incoming/outcome"]["good"]


def test_a_person_sees_a_table(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "250")
    monkeypatch.delenv("AIRFLOW_CONN_DACS_FILES")
    told = CliRunner().invoke(app, ["connections"])
    assert told.exit_code == 1
    assert "There is no connection dacs_files" in told.stdout
    assert "Next: set AIRFLOW_CONN_DACS_FILES" in told.stdout


def test_connections_of_airflows_database_come_as_an_export(box: Sandbox, tmp_path: Path) -> None:
    file = tmp_path / "connections.json"
    told = CliRunner().invoke(app, ["connections", "--file", str(file)])
    assert told.exit_code == 3
    assert "airflow connections export" in told.stderr
    write_connections(box.connections(), "127.0.0.1", file)
    told = CliRunner().invoke(app, ["connections", "--json", "--file", str(file)], env=dict.fromkeys(box.env()))
    assert told.exit_code == 0
    assert {each["connection"] for each in json.loads(told.stdout)} == set(places_of(load()))


def test_what_is_wrong_is_told_with_the_next_step(
    box: Sandbox, monkeypatch: pytest.MonkeyPatch, configure: Callable[..., None]
) -> None:
    configure(**{"outgoing/scores": "outgoing/nowhere"})
    spoil(box, monkeypatch, "derms_files", extra={"host_key": box.servers["dacs"].host_key})
    spoil(box, monkeypatch, "ouai_objects", password="wrong")
    spoil(box, monkeypatch, "derms_rest", password="wrong")
    spoil(box, monkeypatch, "dacs_rest", port=1)
    found = looked(1)
    wrong = {
        ("dacs_files", "sftp://dacs_files/outgoing/nowhere"): "no such folder",
        ("derms_files", "login"): "another host key",
        ("ouai_objects", "s3://ouai_objects/ouai/outgoing/ack"): "refuses our login",
        ("derms_rest", "/health"): "gets no token",
        ("dacs_rest", HEALTH): "no answer",
    }
    for place, text in wrong.items():
        assert not found[place]["good"]
        assert text in found[place]["text"]
        assert found[place]["fix"]
    assert found["dacs_files", "sftp://dacs_files/outgoing/enrollment"]["good"]
    assert [place for conn_id, place in found if conn_id == "derms_files"] == ["login"], "one try at a login"


def test_a_folder_that_may_only_be_read_is_told(box: Sandbox, configure: Callable[..., None]) -> None:
    configure(**{"outgoing/scores": "/sys"})  # where nobody may lay a file down, root neither
    seen = looked(1)["dacs_files", "sftp://dacs_files//sys"]
    assert not seen["good"]
    assert seen["fix"]


def test_a_flow_that_is_off_needs_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRBRIDGE_PROFILE", "26.4")
    assert set(places_of(load())) == {
        "ccs_rest", "cis_files", "dacs_files", "dacs_objects", "dacs_rest", "derms_files", "derms_rest",
    }  # fmt: skip
