"""`drbridge ledger`: what is where, and whether the books balance."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from sqlalchemy import Row

from drbridge.cli.desk import open_desk, told_plainly
from drbridge.errors import NotKnownThere
from drbridge.exchange.desk import Desk
from drbridge.ledger import audit, deliveries, intakes, parcels
from drbridge.ledger.database import Ledger
from drbridge.ledger.deliveries import Balance
from drbridge.ledger.schema import upgrade

ledger = typer.Typer(help="What is where, and whether the books balance.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of a table.")]
OfFlow = Annotated[str | None, typer.Option("--flow", help="Only this flow (DAG id).")]


def _rows(desk: Desk, flow: str | None) -> list[tuple[Row[Any], Balance]]:
    with desk.ledger.read() as tx:
        rows = tx.execute(deliveries.with_intakes(flow=flow)).all()
        if flow and not rows and flow not in desk.systems.flows:
            raise NotKnownThere(f"There is no flow {flow}", fix=f"say one of {', '.join(desk.systems.flows)}")
        books = deliveries.balances(tx, [row.id for row in rows])
    return [(row, books[row.id]) for row in rows]


def _when(seconds: float | None) -> str:
    return "" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%MZ")


def _line(row: Row[Any], balance: Balance) -> dict[str, object]:
    return {
        "id": row.id, "flow": row.flow, "destination": row.destination, "file": row.name, "state": str(row.state),
        "business_at": _when(row.business_at), **balance.as_dict(),
    }  # fmt: skip


def _print(rows: list[dict[str, object]], title: str, as_json: bool) -> None:
    if as_json:
        print(json.dumps(rows))
        return
    table = Table(title=title, title_justify="left", box=SIMPLE)
    for name in rows[0] if rows else ("nothing yet",):
        number = bool(rows) and isinstance(rows[0][name], int)
        table.add_column(name, justify="right" if number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(escape(str(value)) for value in row.values()))
    Console().print(table)


def _for_people(row: Row[Any], balance: Balance) -> dict[str, object]:
    """One delivery in columns that fit a terminal of 80 characters."""
    return {
        "id": row.id, "state": str(row.state),
        "file, flow > destination": f"{row.name}\n{row.flow} > {row.destination}", "rows": balance.in_words,
    }  # fmt: skip


@ledger.command("list")
def list_(flow: OfFlow = None, as_json: AsJson = False) -> None:
    """Lists every delivery with where its rows are.

    Example: drbridge ledger list --flow dacs_derms_device_score
    """
    with told_plainly():
        line = _line if as_json else _for_people
        _print([line(row, balance) for row, balance in _rows(open_desk(), flow)], "Deliveries", as_json)


@ledger.command()
def show(delivery: Annotated[int, typer.Argument(help="The number in the first column of `ledger list`.")]) -> None:
    """Shows one delivery: its book, its problems, its parcels.

    Example: drbridge ledger show 7
    """
    with told_plainly():
        desk = open_desk()
        found = [(row, balance) for row, balance in _rows(desk, None) if row.id == delivery]
        if not found:
            print(f"There is no delivery {delivery}; see: drbridge ledger list")
            raise typer.Exit(1)
        row, balance = found[0]
        _print(
            [_for_people(row, balance)], f"Business date {_when(row.business_at)}, ended {_when(row.ended_at)}", False
        )
        with desk.ledger.read() as tx:
            problems = intakes.first_problems(tx, row.intake_id, row.id)
            counts = ", ".join(f"{count} {code}" for code, count in intakes.codes(tx, row.intake_id).items())
            pieces = parcels.of_delivery(tx, row.id)
        shown = [
            {"line": each.line or "", "field": each.field or "", "code": each.code, "text": each.text}
            for each in problems
        ]
        _print(shown, f"Problems ({counts or 'none'}; the first hundred)", False)
        _print(
            [
                {"rows": f"{each.first_row}-{each.last_row}", "state": each.state, "tries": each.tries,
                 "next": _when(each.next_at or None), "answer": f"{each.code or ''} {each.text or ''}".strip()}
                for each in pieces[:100]
            ],
            f"Parcels ({len(pieces)}, the first hundred)", False,
        )  # fmt: skip


@ledger.command()
def balance(flow: OfFlow = None, as_json: AsJson = False) -> None:
    """Adds the books up per flow and destination; exit code 1 when one does not balance.

    Example: drbridge ledger balance
    """
    with told_plainly():
        rows = _rows(open_desk(), flow)
        _print(_sums(rows, as_json), "Books", as_json)
        if not all(book.balances for _, book in rows):
            raise typer.Exit(1)


@ledger.command("audit")
def audit_(as_json: AsJson = False) -> None:
    """Lists what persons had sent again: when, who, what, in which run, and why; the latest last.

    Example: drbridge ledger audit
    """
    with told_plainly(), open_desk().ledger.read() as tx:
        acts = [
            {"when": _when(each.at), "who": each.who, "act": each.act, "run": each.subject, "why": each.why}
            for each in audit.acts(tx)
        ]
    _print(acts, "What persons asked for", as_json)


@ledger.command("upgrade")
def upgrade_() -> None:
    """Makes the ledger's tables, or brings them to this version; changes nothing when they are current.

    Example: drbridge ledger upgrade
    """
    with told_plainly():
        upgrade(Ledger())
    print("The ledger's tables are current.")


def _sums(rows: list[tuple[Row[Any], Balance]], in_numbers: bool) -> list[dict[str, object]]:
    books: dict[tuple[str, str], list[Balance]] = {}
    for row, book in rows:
        books.setdefault((row.flow, row.destination), []).append(book)
    lines: list[dict[str, object]] = []
    for (flow, destination), mine in sorted(books.items()):
        total = Balance(**{name: sum(book.as_dict()[name] for book in mine) for name in mine[0].as_dict()})
        told: dict[str, object] = {"flow": flow, "destination": destination, "files": len(mine)}
        lines.append(told | (total.as_dict() if in_numbers else {"rows": total.in_words}))
    return lines
