"""A worker with Airflow connections to a real sandbox, and a ledger of its own for each test."""

from __future__ import annotations

from tests import airflow_settings  # before Airflow is imported

# isort: split

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drbridge.systems import DEFAULT_FILE, load
from drbridge_airflow.desk import clear_desk
from drbridge_sandbox.sandbox import Sandbox
from tests.flows.conftest import sweep

assert airflow_settings


@pytest.fixture
def configure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Writes a systems.toml: the shipped one with some words replaced."""

    def configure(**replaced: str) -> None:
        text = DEFAULT_FILE.read_text(encoding="utf-8").replace("quiet_seconds = 5", "quiet_seconds = 0")
        for old, new in replaced.items():
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "systems.toml"
        path.write_text(text, encoding="utf-8")
        monkeypatch.setenv("DRBRIDGE_CONFIG", str(path))
        clear_desk()

    return configure


@pytest.fixture
def box(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, configure: Callable[..., None]
) -> Iterator[Sandbox]:
    """The sandbox, swept clean, and a worker that has connections to it."""
    sweep(sandbox, load(DEFAULT_FILE))
    for name, value in sandbox.env().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DRBRIDGE_HOME", str(tmp_path))
    monkeypatch.setenv("DRBRIDGE_LEDGER_URL", f"sqlite:///{tmp_path}/ledger.db")
    monkeypatch.setenv("DRBRIDGE_STAGING", (tmp_path / "staging").as_uri())
    configure()
    yield sandbox
    clear_desk()
