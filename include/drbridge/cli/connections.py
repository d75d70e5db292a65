"""`drbridge connections`: whether everything that systems.toml names can be reached."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from drbridge.adapters.outside import connection_from_fields, environment_connection
from drbridge.cli.desk import told_plainly
from drbridge.errors import Misconfigured
from drbridge.ports import Connection
from drbridge.systems import load


def connections(
    file: Annotated[
        Path | None,
        typer.Option(help="Read the connections from here instead, as `airflow connections export` writes them."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of a table.")] = False,
) -> None:
    """Logs in to every system that systems.toml names, tries every folder and bucket, and asks every REST side.

    It says as whom, in which version, what is wrong and what to do. In folders and buckets it lays a hidden file down
    and takes it away again. Connections are read from AIRFLOW_CONN_*;
    for those that live in Airflow's database, pass on what Airflow exports. Exit code 1: at least one does not work.

    Example: airflow connections export - | drbridge connections --file /dev/stdin
    """
    from drbridge.adapters.looking import look_at_all  # clients of all three kinds: not for every command

    with told_plainly():
        get_connection = environment_connection if file is None else exported_connections(file)
        seen = list(look_at_all(load(), get_connection))
    if as_json:
        print(json.dumps([asdict(each) for each in seen]))
    else:
        table = Table("as", "place", "found", "seconds", box=SIMPLE)
        for column in table.columns:
            column.overflow = "fold"
        for each in seen:
            seen_there = f"{each.text}, version {each.version}" if each.version else each.text
            found = f"{seen_there}\nNext: {each.fix}" if each.fix else seen_there
            place = each.place if each.connection in each.place else f"{each.connection} {each.place}"
            table.add_row(
                *map(escape, (each.who, place, found, f"{each.seconds:.2f}")), style="" if each.good else "red"
            )
        Console().print(table)
    if not all(each.good for each in seen):
        raise typer.Exit(1)


def exported_connections(file: Path) -> Callable[[str], Connection]:
    """The connections of an export.

    Raises:
        Misconfigured: the file is none.
    """
    try:
        known = {name: connection_from_fields(name, told) for name, told in json.loads(file.read_text()).items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        fix = "write it with: airflow connections export FILE.json"
        raise Misconfigured(f"{file} holds no connections", type(error).__name__, fix) from error

    def get(conn_id: str) -> Connection:
        if conn_id not in known:
            raise Misconfigured(f"There is no connection {conn_id}", fix="make it under Admin > Connections")
        return known[conn_id]

    return get
