"""`drbridge demo`: one day of demand response on real servers, in the Airflow UI. `make demo` calls it."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from drbridge.cli.demo_report import Report, print_report, write_report
from drbridge.errors import DrBridgeError

if TYPE_CHECKING:
    from drbridge.cli.demo_stage import Stage

SETTLED_WITHIN_SECONDS = 600.0
LOOK_EVERY_SECONDS = 1.0
LOOKS_PER_LINE = 10


def demo(
    stop: Annotated[bool, typer.Option("--stop", help="End a demo that is still running, and nothing else.")] = False,
) -> None:
    """Lives one day of demand response: real files and messages between real servers, moved by a real Airflow.

    DEVICES sets how many devices take part (2000), DEMO_EXIT=1 ends everything when the day is over.

    Example: drbridge demo
    """
    from drbridge.cli.demo_stage import Stage  # servers and Airflow: not for every command

    root = Path(__file__).resolve().parents[3] / ".drbridge" / "demo"
    if stop:
        Stage.end_former(root)
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    raise typer.Exit(_live(root))


def _live(root: Path) -> int:
    from drbridge.cli.demo_stage import Stage

    console = Console() if sys.stdout.isatty() else Console(width=190)
    leave = os.environ.get("DEMO_EXIT") == "1"
    day = (datetime.now(UTC) - timedelta(days=1)).date()
    Stage.end_former(root)
    stage = Stage(root, devices=int(os.environ.get("DEVICES", "2000")), day=day, say=console.print)
    try:
        stage.set_up()
        report = _play(stage, console)
        print_report(report, console)
        write_report(report, root / "report.json")
        console.print(f"The same table for programs: {root / 'report.json'}")
        if not leave:
            _stay(stage, console)
        return 0 if report.good else 1
    except KeyboardInterrupt:
        return 130
    except DrBridgeError as error:
        console.print(f"[red]{error}[/red]")
        return 1
    finally:
        stage.tear_down()


def _play(stage: Stage, console: Console) -> Report:
    """Customers and network, then the messages act by act beside all other files; each waits for what is before it."""
    started = time.monotonic()
    wait = partial(_wait, console, started)
    stage.open_the_day()
    surprises: list[str] = []
    if wait("customers", stage.unknown_customers):
        stage.deliver_the_rest()
        for act in stage.acts:
            console.print(f"  {time.monotonic() - started:3.0f} s  {act.title}: {len(act.posts)} messages")
            surprises += stage.begin(act)
            if not wait("messages", partial(stage.missing, act)):
                break
        wait("files", stage.left_to_do)
    return stage.report(time.monotonic() - started, surprises)


def _wait(console: Console, started: float, what: str, left_of: Callable[[], list[str]]) -> bool:
    """Waits until nothing is left; says whether that came in time."""
    with console.status(f"waiting for the {what}") as status:
        for look in count(1):
            left, seconds = left_of(), time.monotonic() - started
            if not left:
                return True
            if seconds > SETTLED_WITHIN_SECONDS:
                break
            status.update(f"{seconds:3.0f} s  " + "; ".join(left[:6]))
            if not console.is_terminal and look % LOOKS_PER_LINE == 0:
                some = ", ".join(f"{each:.60}" for each in left[:2]) + (" ..." if len(left) > 2 else "")
                console.print(f"  {seconds:3.0f} s  {what} on their way, {len(left)}: {some}")
            time.sleep(LOOK_EVERY_SECONDS)
    return False


def _stay(stage: Stage, console: Console) -> None:
    console.print(
        f"\nThe Airflow UI: [bold]{stage.airflow.url}[/bold]   user [bold]{stage.airflow.user}[/bold]"
        f"   password [bold]{stage.airflow.password}[/bold]\n"
        f"A shell that knows it: [bold]. {os.path.relpath(stage.write_shell())}[/bold], then for example "
        "`drbridge ledger list` or `airflow dags list`.\nCtrl-C ends the demo."
    )
    while True:
        time.sleep(3600)
