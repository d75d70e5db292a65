"""The demo's stage: the other systems, a real Airflow, one day, and the ledger to watch it by."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path

from drbridge.cli.demo_books import Books
from drbridge.cli.demo_report import Report
from drbridge.exchange.staging import Staging
from drbridge.ledger import deliveries
from drbridge.ledger.database import Ledger
from drbridge.ledger.schema import upgrade
from drbridge.ledger.states import SETTLED
from drbridge.systems import DEFAULT_FILE, load
from drbridge_sandbox.airflow_processes import AirflowProcesses, end_former
from drbridge_sandbox.children import is_free
from drbridge_sandbox.day import Act, Day, Inbox, Messages, compare, make_day, make_messages
from drbridge_sandbox.day.batch import knows_customers
from drbridge_sandbox.day.made import CUSTOMERS, NETWORK
from drbridge_sandbox.pidbook import PidBook
from drbridge_sandbox.sandbox import PORTS, Sandbox

CHECKOUT = Path(__file__).resolve().parents[3]
SEED = 20260714
UI_PORT = 8080
FIRST_PORT = 18000
COMPARISON = "reconcile"
FIRST = (CUSTOMERS, NETWORK)


class Stage:
    """Everything the demo runs on, under one folder; each demo begins with an empty one."""

    def __init__(self, root: Path, devices: int, day: date, say: Callable[[str], None]) -> None:
        self.root, self.devices, self.date, self.say = root, devices, day, say
        self.systems = load(DEFAULT_FILE)
        self.sandbox: Sandbox | None = None
        self.day: Day | None = None
        self.messages: Messages | None = None
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
        """Starts the other systems and Airflow, and makes the day meanwhile."""
        shutil.rmtree(self.root, ignore_errors=True)
        self.root.mkdir(parents=True)
        (self.root / "demo.pid").write_text(str(os.getpid()))
        self.say("Starting the other systems: SFTP, S3, REST ...")
        self.sandbox = Sandbox(self.root / "sandbox", port_base=_first_port()).start()
        self.say("Starting Airflow ...")
        upgrade(self.ledger)
        self.airflow.start()
        self.say(f"Making the files and messages of {self.date} for {self.devices} devices ...")
        self.day = make_day(SEED, self.devices, self.date, self.root / "day")
        self.messages = make_messages(self.day)
        self.airflow.wait_until_ready()
        for conn_id, each in self.sandbox.connections().items():
            told = {**each, "connection_id": conn_id, "extra": json.dumps(each.get("extra", {}))}
            self.airflow.api("POST", "connections", told)
        told = {"url": self.airflow.url, "user": self.airflow.user, "password": self.airflow.password}
        (self.root / "airflow.json").write_text(json.dumps(told))

    def _environment(self) -> dict[str, str]:
        return {
            "DRBRIDGE_HOME": str(self.root),
            "DRBRIDGE_LEDGER_URL": self.ledger.url,
            "DRBRIDGE_STAGING": self.staging.url,
            "DRBRIDGE_CONFIG": str(DEFAULT_FILE),
        }

    def _switch_on(self, pattern: str) -> None:
        """Not by REST, here and below: on SQLite a busy API server stands still for a minute when it is told to act."""
        self.airflow.cli("dags", "unpause", "--yes", "--treat-dag-id-as-regex", pattern)

    def _wait_for_dags(self) -> None:
        wanted = {path.stem for path in (CHECKOUT / "dags").rglob("*.py")}
        end = time.monotonic() + 60
        while time.monotonic() < end:
            known = {dag["dag_id"] for dag in self.airflow.api("GET", "dags?limit=100")["dags"]}
            if wanted <= known:
                break
            time.sleep(1)

    def write_shell(self) -> Path:
        """Writes what a shell needs so that `airflow` and `drbridge` in it mean this Airflow and this ledger."""
        file = self.root / "shell.sh"
        file.touch(mode=0o600)
        file.write_text("".join(f"export {name}={shlex.quote(text)}\n" for name, text in sorted(self._shell().items())))
        return file

    def _shell(self) -> dict[str, str]:
        wanted = ("AIRFLOW", "DRBRIDGE_", "PATH")
        return self._box.env() | {name: text for name, text in self.airflow.env.items() if name.startswith(wanted)}

    @property
    def _box(self) -> Sandbox:
        assert self.sandbox is not None
        return self.sandbox

    @property
    def _day(self) -> Day:
        assert self.day is not None
        return self.day

    @property
    def _messages(self) -> Messages:
        assert self.messages is not None
        return self.messages

    @property
    def acts(self) -> tuple[Act, ...]:
        """What DACS and the DERMS post, one after the other."""
        return self._messages.acts

    def open_the_day(self) -> None:
        """Customers and the network come first: nobody enrolls whom the other systems do not know."""
        self._day.drop_into(self._box, FIRST)
        self._wait_for_dags()
        self._switch_on("ccs_.*|.*_network_location")
        self.say(f"Customers and network are out; Airflow finds them by itself. UI: {self.airflow.url}")

    def unknown_customers(self) -> list[str]:
        """What keeps the acts from beginning: DACS imports its customers by its own batch, the DERMS by itself."""
        return [] if knows_customers(self._box, self._day) else ["DACS and the DERMS get to know the customers"]

    def deliver_the_rest(self) -> None:
        """Every system lays its other files out, as it would over the day, and all other DAGs are switched on."""
        self._day.drop_into(self._box, {file.url for file in self._day.files} - set(FIRST))
        self._switch_on(".*")
        self.say(f"All {len(self._day.files)} files are out; now the messages.")

    def begin(self, act: Act) -> list[str]:
        """Posts an act's messages, many at once; returns what replies lacked that their senders waited for."""
        act.prepare(self._box)
        if act.deleted:
            self.airflow.cli("dags", "trigger", COMPARISON)
        return Inbox(self.airflow.url, self.airflow.user, self.airflow.password).post(act.posts)

    def missing(self, act: Act) -> list[str]:
        """What the far side still lacks of an act; the DERMS answers at once again when it lacks nothing."""
        found = [str(each) for each in compare(act.prediction, self._box, alone=False)]
        if not found:
            act.end(self._box)
        return found

    def left_to_do(self) -> list[str]:
        """Files that have not got their last name yet, and whatever has open deliveries or answers."""
        with self.ledger.read() as tx:
            unsettled = {row.name for row in tx.execute(deliveries.with_intakes()) if row.state not in SETTLED}
        names = {url: set(self._box.place(url).names()) for url in {file.url for file in self._day.files}}
        waiting = {file.name for file in self._day.files if file.name in names[file.url]}
        return sorted(waiting | unsettled)

    def report(self, seconds: float, surprises: Sequence[str]) -> Report:
        """What the day came to, by the ledger and by the far side.

        Args:
            surprises: what was not as it should be while the day went on.
        """
        books = Books(self.systems, self.ledger, self._box, self._day, self._messages)
        recounted, agrees = self._recount()
        return Report(
            str(self.date), self._day.devices, seconds, tuple(books.lines()), tuple(books.planted()),
            (*surprises, *books.differences()), recounted, agrees,
        )  # fmt: skip

    def _recount(self) -> tuple[str, bool]:
        """What `drbridge ledger recount` says, and whether it agrees with the books."""
        command = [str(Path(sys.executable).parent / "drbridge"), "ledger", "recount"]
        env = {**os.environ, **self._shell()}
        ended = subprocess.run(command, env=env, capture_output=True, text=True, check=False)  # noqa: S603
        return (ended.stdout + ended.stderr).strip(), ended.returncode == 0

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
