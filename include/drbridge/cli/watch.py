"""`drbridge overdue` and `drbridge reconcile`: the looks after the work, from a shell."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import Annotated

import typer

from drbridge.cli.desk import open_desk, told_plainly
from drbridge.cli.ledger import AsJson, book_lines, print_lines
from drbridge.errors import BadInput
from drbridge.exchange.findings import Finding


def overdue(as_json: AsJson = False) -> None:
    """Lists answers that did not come in time and deliveries that do not end; exit code 1 when there are any.

    Example: drbridge overdue
    """
    from drbridge.exchange.overdue import overdue as look  # reads staged rows: not for every command

    with told_plainly():
        _tell(look(open_desk()), "Overdue", as_json)


def reconcile(
    day: Annotated[str | None, typer.Option(help="The day to look at, UTC, as in 2026-07-14; else yesterday.")] = None,
    as_json: AsJson = False,
) -> None:
    """Adds up what came in on a day and asks the other systems whether they have it; exit code 1 on differences.

    Aggregators that DACS has no longer are reported to DERMS, as the daily run does.

    Example: drbridge reconcile --day 2026-07-14
    """
    from drbridge.exchange.reconcile import reconcile as look

    with told_plainly():
        found = look(open_desk(), _day(day))
        if not as_json:
            print_lines(book_lines(found.books, False), f"What came in on {found.day} (UTC)", False)
            for name in found.removed:
                print(f"DACS has aggregator {name} no longer: a message to DERMS is on its way")
        _tell(found.findings, "Differences", as_json)


def _day(text: str | None) -> date:
    try:
        return date.fromisoformat(text) if text else (datetime.now(UTC) - timedelta(days=1)).date()
    except ValueError:
        raise BadInput(f"{text!r} is no day", fix="write it as in 2026-07-14") from None


def _tell(findings: Sequence[Finding], title: str, as_json: bool) -> None:
    if as_json:
        print(json.dumps([asdict(each) for each in findings]))
    else:
        lines = [
            {"where": each.where, "what, and the next step": f"{each.what}\nNext: {each.fix}"} for each in findings
        ]
        print_lines(lines, title, False)
    if findings:
        raise typer.Exit(1)
