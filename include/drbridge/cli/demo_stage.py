"""The demo's stage: the other systems, a real Airflow, one day's files, and the ledger to watch them by."""

from __future__ import annotations

import csv
import json
import os
import shlex
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import Row

from drbridge.cli.demo_report import FlowLine, Planted, Report
from drbridge.exchange.staging import Staging
from drbridge.ledger import deliveries, intakes
from drbridge.ledger.database import Ledger
from drbridge.ledger.deliveries import Balance
from drbridge.ledger.schema import upgrade
from drbridge.ledger.states import SETTLED
from drbridge.systems import DEFAULT_FILE, load
from drbridge_sandbox.airflow_processes import AirflowProcesses, end_former
from drbridge_sandbox.children import is_free
from drbridge_sandbox.day import Day, FilePrediction, compare, make_day
from drbridge_sandbox.pidbook import PidBook
from drbridge_sandbox.sandbox import PORTS, Sandbox

CHECKOUT = Path(__file__).resolve().parents[3]
SEED = 20260714
UI_PORT = 8080
FIRST_PORT = 18000


class Stage:
    """Everything the demo runs on, under one folder; each demo begins with an empty one."""

    def __init__(self, root: Path, devices: int, day: date, say: Callable[[str], None]) -> None:
        self.root, self.devices, self.date, self.say = root, devices, day, say
        self.systems = load(DEFAULT_FILE)
        self.sandbox: Sandbox | None = None
        self.day: Day | None = None
        self.ledger = Ledger(f"sqlite:///{root / 'ledger.db'}")
        self.staging = Staging((root / "staging").as_uri())
        dags, plugins = CHECKOUT / "dags", CHECKOUT / "plugins"
        port = UI_PORT if is_free(UI_PORT) else None
        self.airflow = AirflowProcesses(root / "airflow", dags, plugins, self._environment(), port)

    @staticmethod
    def end_former(root: Path) -> None:
        """Ends a demo that is still running, or what a killed one left behind."""
        _end_process(root / "demo.pid")
        end_former(root / "airflow")
        PidBook(root / "sandbox" / "pids.json").end_those_left()

    def set_up(self) -> None:
        """Starts the other systems and Airflow, and makes the day's files meanwhile."""
        shutil.rmtree(self.root, ignore_errors=True)
        self.root.mkdir(parents=True)
        (self.root / "demo.pid").write_text(str(os.getpid()))
        self.say("Starting the other systems: SFTP, S3, REST ...")
        self.sandbox = Sandbox(self.root / "sandbox", port_base=_first_port()).start()
        self.say("Starting Airflow ...")
        upgrade(self.ledger)
        self.airflow.start()
        self.say(f"Making the files of {self.date} for {self.devices} devices ...")
        self.day = make_day(SEED, self.devices, self.date, self.root / "day")
        self.airflow.wait_until_ready()
        for conn_id, each in self.sandbox.connections().items():
            told = {**each, "connection_id": conn_id, "extra": json.dumps(each.get("extra", {}))}
            self.airflow.api("POST", "connections", told)
        self._unpause()
        told = {"url": self.airflow.url, "user": self.airflow.user, "password": self.airflow.password}
        (self.root / "airflow.json").write_text(json.dumps(told))

    def _environment(self) -> dict[str, str]:
        return {
            "DRBRIDGE_HOME": str(self.root),
            "DRBRIDGE_LEDGER_URL": self.ledger.url,
            "DRBRIDGE_STAGING": self.staging.url,
            "DRBRIDGE_CONFIG": str(DEFAULT_FILE),
        }

    def _unpause(self) -> None:
        """Switches every DAG on, once all are known."""
        wanted = {path.stem for path in (CHECKOUT / "dags").rglob("*.py")}
        end = time.monotonic() + 60
        while time.monotonic() < end:
            known = {dag["dag_id"] for dag in self.airflow.api("GET", "dags?limit=100")["dags"]}
            if wanted <= known:
                break
            time.sleep(1)
        self.airflow.api("PATCH", "dags?dag_id_pattern=%25", {"is_paused": False})

    def write_shell(self) -> Path:
        """Writes what a shell needs so that `airflow` and `drbridge` in it mean this Airflow and this ledger."""
        assert self.sandbox is not None
        wanted = ("AIRFLOW", "DRBRIDGE_", "PATH")
        env = self.sandbox.env() | {name: text for name, text in self.airflow.env.items() if name.startswith(wanted)}
        file = self.root / "shell.sh"
        file.touch(mode=0o600)
        file.write_text("".join(f"export {name}={shlex.quote(text)}\n" for name, text in sorted(env.items())))
        return file

    def deliver_the_day(self) -> None:
        """Every system lays its files out, as it would over the day."""
        assert self.day is not None
        assert self.sandbox is not None
        self.day.drop_into(self.sandbox)
        self.say(f"{len(self.day.files)} files are out; Airflow finds them by itself. UI: {self.airflow.url}")

    def left_to_do(self) -> list[str]:
        """Files that have not got their last name yet, or whose deliveries or answers are open."""
        assert self.day is not None
        assert self.sandbox is not None
        with self.ledger.read() as tx:
            unsettled = {row.name for row in tx.execute(deliveries.with_intakes()) if row.state not in SETTLED}
        names = {url: set(self.sandbox.place(url).names()) for url in {file.url for file in self.day.files}}
        waiting = {file.name for file in self.day.files if file.name in names[file.url]}
        return sorted(waiting | unsettled)

    def report(self, seconds: float) -> Report:
        """What the day came to, by the ledger and by the far side."""
        assert self.day is not None
        assert self.sandbox is not None
        found = compare(self.day.prediction, self.sandbox)
        by_noun: dict[str, list[str]] = {}
        for difference in found:
            by_noun.setdefault(_noun_at(difference.noun), []).append(str(difference))
        lines = tuple(self._lines(by_noun))
        planted = tuple(each for file in self.day.prediction.files for each in self._planted(file))
        differences = tuple(str(difference) for difference in found)
        return Report(str(self.date), self.day.devices, seconds, lines, planted, differences)

    def _lines(self, differences: dict[str, list[str]]) -> Iterator[FlowLine]:
        with self.ledger.read() as tx:
            rows = tx.execute(deliveries.with_intakes()).all()
            books = deliveries.balances(tx, [row.id for row in rows])
        for flow in self.systems.flows.values():
            for destination in (*flow.deliver, *([flow.answer] if flow.answer else [])):
                mine = [row for row in rows if (row.flow, row.destination) == (flow.name, destination)]
                wrong = [text for noun in flow.prefixes.values() for text in differences.get(noun, [])]
                yield _line(flow.name, destination, mine, books, wrong)

    def _planted(self, file: FilePrediction) -> Iterator[Planted]:
        """Each planted fault, beside what the ledger or the rejects file says of it."""
        said = self._said(file)
        for each in file.refused:
            yield Planted(file.name, each.line, each.kind, "; ".join(said.get(str(each.line), [])))
        for line in file.refused_there:
            yield Planted(file.name, line, "refused by the other side", "; ".join(said.get(str(line), [])))
        if file.why_error:
            yield Planted(file.name, None, file.why_error, "; ".join(said.get("", [])))

    def _said(self, file: FilePrediction) -> dict[str, list[str]]:
        assert self.sandbox is not None
        said: dict[str, list[str]] = {}
        place, name = self.sandbox.place(f"{file.url}/rejects"), f"{file.name}.rejects.csv"
        if name in place.names():
            text = b"".join(place.read(name)).decode("utf-8", "replace")
            for row in csv.DictReader(text.splitlines()):
                said.setdefault(row["line"], []).append(f"{row['code']}: {row['text']}")
        with self.ledger.read() as tx:
            sighting = intakes.last_sighting(tx, file.url, file.name)
            intake = intakes.by_id(tx, sighting.intake_id) if sighting else None
        if intake is not None and intake.refusal_text:
            said[""] = [f"{intake.refusal_code}: {intake.refusal_text}"]
        return said

    def tear_down(self) -> None:
        """Ends everything."""
        self.airflow.stop()
        if self.sandbox is not None:
            self.sandbox.stop()
        self.ledger.close()


def _first_port() -> int | None:
    """The first of the sandbox's ports: as set, else 18000 and those after it, else whatever is free."""
    if asked := os.environ.get("DRBRIDGE_PORT_BASE"):
        return int(asked)
    return FIRST_PORT if all(is_free(FIRST_PORT + step) for step in range(PORTS)) else None


def _end_process(pid_file: Path, patience_seconds: float = 20.0) -> None:
    """Asks the demo that wrote the file to end, and waits until it has cleared up after itself."""
    if not pid_file.exists():
        return
    pid = int(pid_file.read_text())
    command = Path(f"/proc/{pid}/cmdline")
    end = time.monotonic() + patience_seconds
    with suppress(OSError):
        if pid != os.getpid() and b"demo" in command.read_bytes():
            os.kill(pid, signal.SIGTERM)
            while command.exists() and time.monotonic() < end:
                time.sleep(0.2)


def _noun_at(noun: str) -> str:
    return "enrollment_ack" if noun == "sync_request" else noun


def _line(flow: str, destination: str, rows: list[Row[Any]], books: dict[int, Balance], wrong: list[str]) -> FlowLine:
    total = {name: sum(books[row.id].as_dict()[name] for row in rows) for name in Balance.__dataclass_fields__}
    ended = [row.ended_at for row in rows if row.ended_at]
    seconds = max(ended) - min(row.opened_at for row in rows) if ended else 0.0
    return FlowLine(
        flow, destination, len(rows), **total, seconds=round(seconds, 1), far_side="; ".join(wrong) or "exact"
    )
