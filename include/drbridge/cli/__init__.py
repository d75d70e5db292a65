"""The command line `drbridge`: look at files, ledger and sandbox without the Airflow UI."""

from __future__ import annotations

import typer

from drbridge.cli.check import CheckCommand, check
from drbridge.cli.connections import connections
from drbridge.cli.demo import demo
from drbridge.cli.docs import docs
from drbridge.cli.inbox import inbox
from drbridge.cli.ledger import ledger
from drbridge.cli.sandbox import sandbox
from drbridge.cli.trace import trace
from drbridge.cli.watch import overdue, reconcile

app = typer.Typer(
    name="drbridge",
    help="Carries demand-response data between a utility's systems: nothing lost, nothing sent twice.",
    epilog="Example: drbridge check device_score SDCSE_0042_00.csv",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.command(cls=CheckCommand)(check)
app.command()(connections)
app.command()(sandbox)
app.command()(demo)
app.command()(trace)
app.command()(overdue)
app.command()(reconcile)
app.command()(docs)
app.add_typer(inbox, name="inbox", epilog="Example: drbridge inbox serve")
app.add_typer(ledger, name="ledger", epilog="Example: drbridge ledger balance")

__all__ = ["app"]
