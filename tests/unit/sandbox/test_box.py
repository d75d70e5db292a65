"""The sandbox gives its users connections that work, and lets its owner look into folders and buckets."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import asyncssh
import pytest

from drbridge_sandbox.ouai import INCOMING, OUTGOING, process_enrollments
from drbridge_sandbox.places import FOLDERS, digest
from drbridge_sandbox.sandbox import SYSTEMS, Sandbox

PLACES = ["sftp://dacs_files/outgoing/scores", "s3://ouai_objects/ouai/outgoing/forecast"]


def test_every_system_has_its_connections(box: Sandbox) -> None:
    connections = box.connections()
    assert sorted(connections) == sorted(
        [f"{system}_{kind}" for system in SYSTEMS for kind in ("files", "objects")]
        + ["dacs_rest", "derms_rest", "ccs_rest"]
    )
    assert json.loads(box.env()["AIRFLOW_CONN_DERMS_REST"])["extra"] == {
        "auth": "oauth2", "token_path": "/oauth/token", "scope": "drbridge", "health_path": "/health",
    }  # fmt: skip
    assert connections["dacs_rest"]["extra"] == {"auth": "basic", "health_path": "/rest/apis/common/healthCheck"}
    keys = {connections[f"{system}_files"]["extra"]["host_key"] for system in SYSTEMS}
    assert len(keys) == len(SYSTEMS)
    assert all(each["extra"]["endpoint_url"] for name, each in connections.items() if name.endswith("_objects"))


@pytest.mark.parametrize("url", PLACES)
def test_what_is_dropped_is_there_and_can_be_taken_away(box: Sandbox, url: str, tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_bytes(b"0123456789abcdef" * 200_000)
    box.drop(url, "a b.csv", b"one\n")
    box.drop(url, "pieces", [b"t", b"wo"])
    box.drop(url, "large", large)
    box.drop(f"{url}/rejects", "below.csv", b"")
    place = box.place(url)
    assert place.names() == ["a b.csv", "large", "pieces"]
    assert box.files(url)["pieces"] == b"two"
    assert box.files(url)["large"] == large.read_bytes()
    assert len(digest(place, "large")) == 64
    for name in place.names():
        place.remove(name)
    box.place(f"{url}/rejects").remove("below.csv")
    assert box.files(url) == {}


def test_a_dropped_file_can_be_given_a_time(box: Sandbox) -> None:
    box.drop(PLACES[0], "old.csv", b"", mtime=1_000_000_000)
    path = box.servers["dacs"].root / "outgoing/scores/old.csv"
    assert path.stat().st_mtime == 1_000_000_000
    path.unlink()


async def _folders(box: Sandbox, system: str) -> set[str]:
    settings = box.connections()[f"{system}_files"]
    key = settings["extra"].get("private_key")
    async with asyncssh.connect(
        settings["host"], settings["port"], username=settings["login"], password=settings["password"] or None,
        client_keys=[asyncssh.import_private_key(key)] if key else None, config=None,
        known_hosts=asyncssh.import_known_hosts(f"[127.0.0.1]:{settings['port']} {settings['extra']['host_key']}"),
    ) as connection, connection.start_sftp_client() as client:  # fmt: skip
        return {folder for folder in FOLDERS[system] if await client.isdir(folder)}


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_folders_are_there_for_those_who_come_over_the_network(box: Sandbox, system: str) -> None:
    assert asyncio.run(_folders(box, system)) == set(FOLDERS[system])


HEADER = "syncRequestId,action,programSubscriptionId,servicePointId,endDateTime,initialLoadFlag\n"


def test_ouai_answers_every_enrollment_of_a_file_once(box: Sandbox) -> None:
    rows = [
        "00000000000001,ENROLL,2001,SP1,,F1IC", "00000000000002,ENROLL,2002,SP2,,F1IC",
        "00000000000003,ENROLL,2003,SP3,,F1IL", "00000000000004,UNENROLL,2004,SP4,,F1IC",
        "not an id,ENROLL,2005,SP5,,F1IC",
    ]  # fmt: skip
    box.drop(INCOMING, "ENROLL_SYNC_1.csv", (HEADER + "\n".join(rows) + "\n").encode())
    at = datetime(2026, 7, 14, 6, tzinfo=UTC)
    assert process_enrollments(box, at, unknown_points={"SP2"}) == {"ENROLL_ACK_20260714T060000Z_1.csv": 3}
    assert process_enrollments(box, at) == {}
    text = box.files(OUTGOING)["ENROLL_ACK_20260714T060000Z_1.csv"].decode()
    assert text.splitlines()[1:] == [
        "00000000000001,2001,SUCCESS,,,,,2026-07-14T06:00:00Z,ENROLL_SYNC_1.csv",
        "00000000000002,2002,ERROR,90000,1001,Unknown service point,SP SP2,2026-07-14T06:00:00Z,ENROLL_SYNC_1.csv",
        "00000000000004,2004,ERROR,90000,1004,The end of the enrollment is missing,2004,2026-07-14T06:00:00Z,"
        "ENROLL_SYNC_1.csv",
    ]
    for url in (INCOMING, OUTGOING, "s3://ouai_objects/ouai/processed/enrollment"):
        for name in box.place(url).names():
            box.place(url).remove(name)
