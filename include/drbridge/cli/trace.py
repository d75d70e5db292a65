"""`drbridge trace`: where something was."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from drbridge.cli.desk import open_desk, told_plainly
from drbridge.exchange.trace import trace as find


def trace(
    key: Annotated[
        str, typer.Argument(help="A device, NIC, service point, enrollment, sync request, event or message id.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of a table.")] = False,
) -> None:
    """Finds every file, line, message, parcel and answer that something was in.

    Example: drbridge trace 100200300401
    """
    with told_plainly():
        found = [each.as_dict() for each in find(open_desk(), key)]
    if as_json:
        print(json.dumps(found))
    elif found:
        table = Table(title=f"Where {key} was")
        for name in found[0]:
            table.add_column(name)
        for each in found:
            table.add_row(*(", ".join(value) if isinstance(value, tuple) else str(value) for value in each.values()))
        Console().print(table)
    else:
        print(f"Nothing that was taken in names {key}.")
    if not found:
        raise typer.Exit(1)
