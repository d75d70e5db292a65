"""`drbridge ledger`: what is where, and whether the books balance."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
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
from drbridge.exchange.books import Book, books
from drbridge.exchange.desk import Desk
from drbridge.exchange.recount import recount as added_up_anew
from drbridge.ledger import audit, deliveries, intakes, parcels
from drbridge.ledger.database import Ledger
from drbridge.ledger.deliveries import Balance
from drbridge.ledger.schema import upgrade

ledger = typer.Typer(help="What is where, and whether the books balance.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of a table.")]
OfFlow = Annotated[str | None, typer.Option("--flow", help="Only this flow (DAG id).")]


def _rows(desk: Desk, flow: str | None) -> list[tuple[Row[Any], Balance]]:
    _need_known(desk, flow)
    with desk.ledger.read() as tx:
        rows = tx.execute(deliveries.with_intakes(flow=flow)).all()
        books = deliveries.balances(tx, [row.id for row in rows])
    return [(row, books[row.id]) for row in rows]


def _need_known(desk: Desk, flow: str | None) -> None:
    if flow is None or flow in desk.systems.flows:
        return
    with desk.ledger.read() as tx:
        if not tx.execute(deliveries.with_intakes(flow=flow).limit(1)).first():
            raise NotKnownThere(f"There is no flow {flow}", fix=f"say one of {', '.join(desk.systems.flows)}")


def _when(seconds: float | None) -> str:
    return "" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%MZ")


def _line(row: Row[Any], balance: Balance) -> dict[str, object]:
    return {
        "id": row.id, "flow": row.flow, "destination": row.destination, "file": row.name, "state": str(row.state),
        "business_at": _when(row.business_at), **balance.as_dict(),
    }  # fmt: skip


def print_lines(rows: Sequence[Mapping[str, object]], title: str, as_json: bool) -> None:
    """Prints lines as a table, or as JSON."""
    if as_json:
        print(json.dumps(rows))
        return
    if not rows:
        print(f"{title}: none")
        return
    table = Table(title=title, title_justify="left", box=SIMPLE)
    for name in rows[0]:
        number = isinstance(rows[0][name], int)
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
        print_lines([line(row, balance) for row, balance in _rows(open_desk(), flow)], "Deliveries", as_json)


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
        print_lines(
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
        print_lines(shown, f"Problems ({counts or 'none'}; the first hundred)", False)
        print_lines(
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
        desk = open_desk()
        _need_known(desk, flow)
        with desk.ledger.read() as tx:
            found = books(tx, flow)
        print_lines(book_lines(found, as_json), "Books", as_json)
        if any(book.wrong for book in found):
            raise typer.Exit(1)


@ledger.command()
def recount(flow: OfFlow = None, as_json: AsJson = False) -> None:
    """Adds the books up anew from staging, attempts and the other systems; exit code 1 when they disagree with ours.

    Example: drbridge ledger recount
    """
    with told_plainly():
        desk = open_desk()
        _need_known(desk, flow)
        count, found = added_up_anew(desk, flow)
    if found or as_json:
        print_lines([asdict(each) for each in found], "What does not agree", as_json)
    else:
        print(
            f"{count} deliveries: what was staged, what was tried and what the other systems have agree with the books."
        )
    if found:
        raise typer.Exit(1)


@ledger.command()
def causes(flow: OfFlow = None, as_json: AsJson = False) -> None:
    """Lists why rows were refused or wait for a person, to choose what goes again: the form of a flow takes a code.

    Example: drbridge ledger causes
    """
    with told_plainly():
        desk = open_desk()
        _need_known(desk, flow)
        with desk.ledger.read() as tx:
            found = [
                {"code": row.code or "", "state": row.state, "rows": int(row.rows), "flow": row.flow,
                 "destination": row.destination, "from": _when(row.first_at), "to": _when(row.last_at)}
                for row in parcels.causes(tx, flow)
            ]  # fmt: skip
        print_lines(found, "Causes", as_json)


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
    print_lines(acts, "What persons asked for", as_json)


@ledger.command("upgrade")
def upgrade_() -> None:
    """Makes the ledger's tables, or brings them to this version; changes nothing when they are current.

    Example: drbridge ledger upgrade
    """
    with told_plainly():
        upgrade(Ledger())
    print("The ledger's tables are current.")


def book_lines(found: Sequence[Book], in_numbers: bool) -> list[dict[str, object]]:
    """Books as lines of a table: each count for itself for programs, in words for people."""
    return [
        {"flow": book.flow, "destination": book.destination, "files": book.deliveries}
        | (book.balance.as_dict() if in_numbers else {"rows": book.balance.in_words})
        for book in found
    ]
