"""`drbridge sandbox`: the other systems as real servers on this machine, until Ctrl-C."""

from __future__ import annotations

import asyncio
import shlex
import signal
import sys
import time
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from drbridge_sandbox.children import DidNotStart
from drbridge_sandbox.window import INSIDE, keep_open, ports_of, write_connections

if TYPE_CHECKING:
    from drbridge_sandbox.sandbox import Sandbox

DEFAULT_ROOT = Path(__file__).resolve().parents[3] / ".drbridge" / "sandbox"


def sandbox(
    root: Annotated[
        Path, typer.Option(help="Where the servers keep what they know.", show_default=False)
    ] = DEFAULT_ROOT,
    port_base: Annotated[
        int, typer.Option(envvar="DRBRIDGE_PORT_BASE", min=1024, max=65_500, help="First of 20 ports.")
    ] = 18_000,
    day: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Drop the files of this day; with --devices or --seed: yesterday."),
    ] = None,
    devices: Annotated[int | None, typer.Option(min=1, help="How many devices take part in the day (2000).")] = None,
    seed: Annotated[int | None, typer.Option(help="Draw other values; the same seed gives the same files (1).")] = None,
    host: Annotated[
        str | None,
        typer.Option(help="Also listen at this name of this machine, in a private network; else 127.0.0.1 alone."),
    ] = None,
    connections: Annotated[
        Path | None, typer.Option(help="Write the connections here, for `airflow connections import`.")
    ] = None,
) -> None:
    """Runs DACS, DERMS and OUAI as real SFTP, S3 and REST servers on this machine, until Ctrl-C.

    They remember what they were sent, in --root. A second start goes on where the first one ended. Their passwords
    are no secrets: never give --host a name that strangers can reach.

    Example: drbridge sandbox --devices 2000
    """
    from drbridge_sandbox.sandbox import Sandbox  # servers: not for every command

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with suppress(KeyboardInterrupt), Sandbox(root, port_base=port_base) as box:
            _print_addresses(box)
            if day or devices is not None or seed is not None:
                when = (day or datetime.now(UTC) - timedelta(days=1)).date()
                _drop_day(box, when, 2000 if devices is None else devices, 1 if seed is None else seed)
            _print_environment(box)
            if connections is not None:
                write_connections(box.connections(), host or INSIDE, connections)
            print("\n# Ctrl-C ends the sandbox.", flush=True)
            if host is not None:
                asyncio.run(keep_open(host, ports_of(box.connections())))
            while True:
                time.sleep(3600)
    except DidNotStart as error:
        print(f"A server did not start: {error}\nNext: choose other ports with --port-base", file=sys.stderr)
        raise typer.Exit(1) from error
    print("# ended")


def _drop_day(box: Sandbox, when: date, devices: int, seed: int) -> None:
    from drbridge_sandbox.day import make_day

    made = make_day(seed, devices, when)
    made.drop_into(box)
    made.close()
    print(f"\n# {len(made.files)} files of {when} lie in the outgoing folders.")


def _print_addresses(box: Sandbox) -> None:
    for name, each in box.connections().items():
        extra = each["extra"]
        address = (
            extra.get("endpoint_url") or f"{each.get('schema', each['conn_type'])}://{each['host']}:{each['port']}"
        )
        print(f"# {name:14} {address}")
    for system in box.services:
        print(f"# {system + ' control':14} {box.far(system).url}")


def _print_environment(box: Sandbox) -> None:
    """The connections, as lines for a shell."""
    print()
    for name, value in box.env().items():
        print(f"export {name}={shlex.quote(value)}")
