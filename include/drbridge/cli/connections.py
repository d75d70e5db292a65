"""`drbridge connections`: whether everything that systems.toml names can be reached."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from drbridge.adapters.outside import environment_connection
from drbridge.cli.desk import told_plainly
from drbridge.systems import load


def connections(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of a table.")] = False,
) -> None:
    """Logs in to every system that systems.toml names, lists every folder and bucket, and asks every REST side.

    It says as whom, what is wrong and what to do, and writes nothing there. Connections are read from AIRFLOW_CONN_*;
    those that live in Airflow's database are not seen. Exit code 1: at least one does not work.

    Example: drbridge connections
    """
    from drbridge.adapters.looking import look_at_all  # clients of all three kinds: not for every command

    with told_plainly():
        seen = list(look_at_all(load(), environment_connection))
    if as_json:
        print(json.dumps([asdict(each) for each in seen]))
    else:
        table = Table("connection", "as", "place", "found")
        for each in seen:
            found = f"{each.text}\nNext: {each.fix}" if each.fix else each.text
            table.add_row(
                *map(escape, (each.connection, each.who, each.place, found)), style="" if each.good else "red"
            )
        Console().print(table)
    if not all(each.good for each in seen):
        raise typer.Exit(1)
