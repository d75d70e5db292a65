"""Who calls: passwords are salted and slow to try, and whoever tries them out holds nobody up."""

from __future__ import annotations

import asyncio
import json
import time
from base64 import b64encode
from pathlib import Path
from statistics import median

import pytest
from typer.testing import CliRunner

from drbridge.cli import app
from drbridge.errors import Misconfigured
from drbridge.inbox.callers import Caller, CallersInFile, Remembered, basic_of


def basic(name: str, password: str) -> str:
    return f"Basic {b64encode(f'{name}:{password}'.encode()).decode()}"


@pytest.fixture
def callers(tmp_path: Path) -> CallersInFile:
    made = CallersInFile(tmp_path / "callers.json")
    made.add("derms", "a password: ü", ["derms_dacs_event_status"])
    return made


def who(callers: CallersInFile, header: str) -> Caller | None:
    return asyncio.run(callers.who(header))


def test_a_caller_signs_in_and_may_what_the_file_says(callers: CallersInFile) -> None:
    caller = who(callers, basic("derms", "a password: ü"))
    assert caller == Caller("derms")
    assert asyncio.run(callers.may_send(caller, "derms_dacs_event_status"))
    assert not asyncio.run(callers.may_send(caller, "derms_dacs_event_outcome"))


def test_the_file_holds_no_password_and_is_for_our_eyes_only(callers: CallersInFile, tmp_path: Path) -> None:
    file = tmp_path / "callers.json"
    assert "a password" not in file.read_text()
    assert file.stat().st_mode & 0o077 == 0
    callers.add("other", "a password: ü", ["*"])
    kept = json.loads(file.read_text())
    assert kept["other"]["password"] != kept["derms"]["password"], "salted"


def test_a_new_password_counts_at_once_and_the_old_one_no_more(callers: CallersInFile) -> None:
    assert who(callers, basic("derms", "a password: ü"))
    callers.add("derms", "new", ["*"])
    assert who(callers, basic("derms", "a password: ü")) is None
    assert who(callers, basic("derms", "new"))


def test_a_caller_that_was_taken_out_is_nobody_at_once(callers: CallersInFile, tmp_path: Path) -> None:
    assert who(callers, basic("derms", "a password: ü"))
    (tmp_path / "callers.json").write_text("{}")
    assert who(callers, basic("derms", "a password: ü")) is None


def test_a_wrong_password_takes_as_long_as_an_unknown_name(callers: CallersInFile) -> None:
    def seconds(header: str) -> float:
        started = time.perf_counter()
        assert who(callers, header) is None
        return time.perf_counter() - started

    known, unknown, empty = [], [], []
    for number in range(9):
        known.append(seconds(basic("derms", f"wrong {number}")))
        unknown.append(seconds(basic(f"nobody {number}", "wrong")))
        empty.append(seconds(basic("", "")))
    assert 0.5 < median(known) / median(unknown) < 2
    assert 0.5 < median(known) / median(empty) < 2
    assert median(known) > 0.01


def test_trying_passwords_out_does_not_hold_up_the_loop_nor_those_who_are_signed_in(callers: CallersInFile) -> None:
    async def attacked() -> tuple[int, float, float]:
        good = basic("derms", "a password: ü")
        await callers.who(good)
        attempts = [asyncio.create_task(callers.who(basic("derms", str(number)))) for number in range(12)]
        turns, slowest, begun = 0, 0.0, time.perf_counter()
        while not all(attempt.done() for attempt in attempts):
            started = time.perf_counter()
            assert await callers.who(good)
            slowest = max(slowest, time.perf_counter() - started)
            await asyncio.sleep(0)
            turns += 1
        return turns, slowest, time.perf_counter() - begun

    turns, slowest, all_of_it = asyncio.run(attacked())
    assert turns > 100
    assert slowest < all_of_it / 3


def test_many_first_calls_of_one_caller_cost_one_hash(callers: CallersInFile, monkeypatch: pytest.MonkeyPatch) -> None:
    from drbridge.inbox import callers as module

    worked_out = []
    matches = module._matches

    def counted(password: str, kept: str) -> bool:
        worked_out.append(kept)
        return matches(password, kept)

    monkeypatch.setattr(module, "_matches", counted)

    async def all_at_once() -> None:
        assert all(await asyncio.gather(*(callers.who(basic("derms", "a password: ü")) for _ in range(20))))

    asyncio.run(all_at_once())
    assert len(worked_out) == 1


def test_what_is_remembered_is_forgotten_in_time_and_holds_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    remembered = Remembered()
    remembered.keep("Basic secret", Caller("derms"))
    assert remembered.get("Basic secret") == Caller("derms")
    assert "secret" not in repr(remembered.__dict__)
    later = time.monotonic() + 301
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert remembered.get("Basic secret") is None


@pytest.mark.parametrize("name", ["", "a:b"])
def test_a_name_nobody_could_sign_in_with_is_refused(callers: CallersInFile, name: str) -> None:
    with pytest.raises(Misconfigured):
        callers.add(name, "x", ["*"])


def test_a_file_that_is_no_json_is_told(tmp_path: Path) -> None:
    (tmp_path / "callers.json").write_text("{")
    with pytest.raises(Misconfigured):
        who(CallersInFile(tmp_path / "callers.json"), basic("derms", "x"))


def test_without_a_file_nobody_is_anybody(tmp_path: Path) -> None:
    assert who(CallersInFile(tmp_path / "none.json"), basic("derms", "x")) is None


@pytest.mark.parametrize("header", ["", "Basic", "Basic =", "Bearer eA==", "Basic eA==", "Basic /w=="])
def test_headers_that_name_nobody(header: str) -> None:
    assert basic_of(header) is None


def test_the_command_line_names_callers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRBRIDGE_INBOX_CALLERS", str(tmp_path / "callers.json"))
    monkeypatch.setenv("DRBRIDGE_CALLER_PASSWORD", "secret")
    done = CliRunner().invoke(app, ["inbox", "caller", "derms", "--flow", "derms_dacs_event_status"])
    assert (done.exit_code, done.output) == (0, "")
    assert who(CallersInFile(), basic("derms", "secret")) == Caller("derms")
