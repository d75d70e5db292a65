"""What the sandbox knows outlives its processes, and its processes never outlive their parent."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from drbridge_sandbox.children import is_open
from drbridge_sandbox.far import Far
from drbridge_sandbox.pidbook import PidBook, started_at
from drbridge_sandbox.sandbox import Sandbox
from tests.unit.sandbox.conftest import Caller
from tests.unit.sandbox.test_dacs import outcome, post

STARTER = """
import sys, threading
from pathlib import Path
from drbridge_sandbox.sandbox import Sandbox
box = Sandbox(Path(sys.argv[1]), openssh=False).start()
print(box.port_base, flush=True)
threading.Event().wait()
"""


def test_a_killed_service_comes_back_with_its_memory(box: Sandbox, dacs: Caller, far_dacs: Far) -> None:
    far_dacs.seed(["21", "22"])
    post(dacs, outcome(), key="k1")
    dacs.json("PATCH", "/rest/apis/common/sync/syncRequest/21", {"syncRequestId": "21", "hasError": False})
    before = far_dacs.counts()
    box.stop_rest(patience=0)
    assert not is_open(dacs.settings["port"])
    box.start_rest()
    assert far_dacs.counts() == before
    assert post(dacs, outcome(), key="k1").headers["idempotent-replayed"] == "true"
    assert far_dacs.seed(["21", "22"]) == 0
    assert far_dacs.counts()["sync_requests"] == {"PENDING": 1, "SYNCHRONIZED": 1}


@pytest.mark.parametrize(
    ("conn_id", "url"),
    [("derms_files", "sftp://derms_files/outgoing/outcome"), ("ouai_objects", "s3://ouai_objects/ouai/outgoing/ack")],
)
def test_content_server_and_object_storage_go_down_and_come_back_with_their_files(
    box: Sandbox, conn_id: str, url: str
) -> None:
    port = box.servers["derms"].port if conn_id == "derms_files" else box.objects.port
    box.drop(url, "kept.csv", b"kept")
    box.down(conn_id)
    assert not is_open(port)
    box.up(conn_id)
    assert is_open(port)
    assert box.files(url) == {"kept.csv": b"kept"}
    box.place(url).remove("kept.csv")


def test_a_token_does_not_outlive_the_service(box: Sandbox, derms: Caller) -> None:
    headers = derms.authorized()
    box.stop_rest(patience=0)
    box.start_rest()
    assert derms.call("GET", "/health", headers=headers).status == 401


def test_a_killed_sandbox_takes_its_servers_along_and_a_second_start_finds_everything(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", STARTER, str(tmp_path)], stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        base = int(starter.stdout.readline())
        Far("dacs", base).seed(["31"])
        pids = [int(pid) for pid in json.loads((tmp_path / "pids.json").read_text())]
        assert len(pids) == 6
        starter.kill()
    end = time.monotonic() + 5
    while any(map(started_at, pids)) and time.monotonic() < end:
        time.sleep(0.02)
    assert not any(map(started_at, pids))
    with Sandbox(tmp_path, port_base=base, openssh=False) as box:
        assert box.far("dacs").counts()["sync_requests"] == {"PENDING": 1}


def test_a_start_ends_what_an_earlier_one_left_behind(tmp_path: Path) -> None:
    left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        book = PidBook(tmp_path / "pids.json")
        book.note([left.pid, other.pid])
        noted = json.loads(book.path.read_text())
        noted[str(other.pid)] = "1"
        book.path.write_text(json.dumps(noted))
        assert PidBook(book.path).end_those_left() == 1
        assert left.wait(5) == -signal.SIGKILL
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_a_broken_pid_book_stops_nobody(tmp_path: Path) -> None:
    book = PidBook(tmp_path / "pids.json")
    assert book.end_those_left() == 0
    book.path.write_text("{")
    assert book.end_those_left() == 0
    book.note([os.getpid()])
    assert str(os.getpid()) in book.path.read_text()
