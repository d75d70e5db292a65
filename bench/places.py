"""A flow of files to a REST target: its source a content server, its target one that answers as it is told to."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from side import ROOT, Run, of_process

from drbridge.ledger.database import Ledger
from drbridge.ledger.schema import upgrade
from drbridge.systems import DEFAULT_FILE
from drbridge_sandbox.content_server import ContentServer
from drbridge_sandbox.sandbox import free_block


@contextmanager
def helper(script: str, *arguments: str) -> Iterator[int]:
    """A process of ours that prints the port on which it listens."""
    command = [sys.executable, str(ROOT / "bench" / script), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


@dataclass
class Place:
    """A folder, a content server and a target.

    Attributes:
        settings: what is replaced in systems.toml.
    """

    folder: Path
    server: ContentServer
    target_port: int
    settings: dict[str, str] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=count)

    def lay(self, folder: str, name: str) -> Path:
        """Where a file of the content server lies."""
        path = self.server.root / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    @contextmanager
    def home(self) -> Iterator[dict[str, str]]:
        """A ledger and a staging of its own for one run, and the environment that tells of them."""
        home = self.folder / f"home{next(self._numbers)}"
        home.mkdir()
        ledger = Ledger(f"sqlite:///{home / 'ledger.db'}")
        upgrade(ledger)
        ledger.close()
        text = DEFAULT_FILE.read_text(encoding="utf-8")
        for old, new in self.settings.items():
            assert old in text, old
            text = text.replace(old, new)
        (home / "systems.toml").write_text(text, encoding="utf-8")
        target = {"conn_type": "http", "schema": "http", "host": "127.0.0.1", "port": self.target_port,
                  "login": "drbridge", "password": "x", "extra": {"auth": "basic"}}  # fmt: skip
        files = json.dumps(self.server.connection())
        yield {
            "DRBRIDGE_HOME": str(home), "DRBRIDGE_LEDGER_URL": ledger.url,
            "DRBRIDGE_STAGING": (home / "staging").as_uri(), "DRBRIDGE_CONFIG": str(home / "systems.toml"),
            "AIRFLOW_CONN_DACS_REST": json.dumps(target), "AIRFLOW_HOME": str(self.folder / "airflow"),
            **{f"AIRFLOW_CONN_{name}_FILES": files for name in ("OUAI", "DERMS", "DACS")},
        }  # fmt: skip
        shutil.rmtree(home)

    def told(self) -> dict[str, Any]:
        """What the target counted since it was last asked."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.target_port}/told") as answer:
            return json.loads(answer.read())  # type: ignore[no-any-return]


def brick(kind: str, flow: str, *file: str, env: dict[str, str], work: float) -> Run:
    """A brick in a process of its own, as a worker executes it."""
    return of_process([sys.executable, "bench/brick.py", kind, flow, *file], work, env)


def together(senders: int, flow: str, env: dict[str, str], work: float) -> list[Run]:
    """So many senders of a flow at once, each in a process of its own."""
    with ThreadPoolExecutor(senders) as pool:
        return list(pool.map(lambda _: brick("send", flow, env=env, work=work), range(senders)))


@contextmanager
def place(answers_after: float, settings: dict[str, str]) -> Iterator[Place]:
    """A content server, and a target that answers after so many seconds."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="drbridge-bench-", dir="/tmp")))
        server = stack.enter_context(ContentServer(folder / "files", free_block(), "bench", "x", openssh=True))
        port = stack.enter_context(helper("target.py", str(answers_after)))
        yield Place(folder, server, port, settings)
