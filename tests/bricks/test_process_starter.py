"""The starter of Airflow's processes ends all of its own and nothing else."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from drbridge_sandbox.airflow_processes import SESSION_FILE, _of_session, end_former, settings
from drbridge_sandbox.children import free_ports

TWO = ["/bin/sh", "-c", "sleep 60 & sleep 60"]


def test_a_former_session_is_ended_as_a_whole(tmp_path: Path) -> None:
    with subprocess.Popen(TWO, cwd=tmp_path, start_new_session=True) as former:
        (tmp_path / SESSION_FILE).write_text(str(former.pid))
        end = time.monotonic() + 5
        while len(_of_session(former.pid, tmp_path)) < 2:
            assert time.monotonic() < end
        end_former(tmp_path)
        assert former.wait(5) != 0
        assert _of_session(former.pid, tmp_path) == []
    assert not (tmp_path / SESSION_FILE).exists()


def test_a_session_id_that_belongs_to_others_by_now_is_left_alone(tmp_path: Path) -> None:
    with subprocess.Popen(["/bin/sleep", "60"], cwd="/", start_new_session=True) as stranger:
        (tmp_path / SESSION_FILE).write_text(str(stranger.pid))
        end_former(tmp_path)
        assert stranger.poll() is None
        stranger.kill()


def test_two_of_them_share_no_port_and_no_secret(tmp_path: Path) -> None:
    one, other = (settings(tmp_path / name, free_ports(1)[0]) for name in ("a", "b"))
    apart = [name for name in one if any(word in name for word in ("PORT", "SECRET", "HOME", "SQL_ALCHEMY_CONN"))]
    assert len(apart) == 8
    assert not [name for name in apart if one[name] == other[name]]
