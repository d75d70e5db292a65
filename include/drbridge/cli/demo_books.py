"""What the demo's day came to, flow by flow: the ledger's books beside what the far side holds."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Row

from drbridge.cli.demo_report import FlowLine, Planted
from drbridge.ledger import deliveries, intakes
from drbridge.ledger.database import Ledger
from drbridge.ledger.deliveries import Balance
from drbridge.systems import Systems
from drbridge_sandbox.day import Day, FilePrediction, Messages, compare, together
from drbridge_sandbox.sandbox import Sandbox


@dataclass(frozen=True)
class Books:
    """The day's files and messages in front of ledger and far side."""

    systems: Systems
    ledger: Ledger
    box: Sandbox
    day: Day
    messages: Messages

    def differences(self) -> list[str]:
        """Whatever the far side holds that it should not, or lacks."""
        return [str(each) for each in compare(together(self.day.prediction, self.messages.prediction), self.box)]

    def lines(self) -> Iterator[FlowLine]:
        """One for each flow and destination, the answers among them."""
        with self.ledger.read() as tx:
            rows = tx.execute(deliveries.with_intakes()).all()
            books = deliveries.balances(tx, [row.id for row in rows])
        of_files: dict[str, list[str]] = {}
        for difference in compare(self.day.prediction, self.box, alone=False):
            of_files.setdefault(_noun_at(difference.noun), []).append(str(difference))
        for flow in self.systems.flows.values():
            nouns = {flow.message} if flow.message else set(flow.prefixes.values())
            wrong = [text for noun in nouns for text in of_files.get(noun, [])] + self._of_messages(nouns)
            for destination in flow.destinations:
                mine = [row for row in rows if (row.flow, row.destination) == (flow.name, destination)]
                line = _line(flow.name, destination, mine, books)
                ends = self._other_ends(nouns, line) if destination in flow.deliver else []
                yield replace(line, far_side="; ".join(wrong + ends) or "exact")

    def _of_messages(self, nouns: set[str]) -> list[str]:
        return [str(each) for each in compare(self.messages.prediction_of(nouns), self.box, alone=False)]

    def _other_ends(self, nouns: set[str], line: FlowLine) -> list[str]:
        """Where the requests of messages ended otherwise than they must."""
        return [
            f"{name}: expected {book[name]}, found {getattr(line, name)}"
            for noun in nouns
            if (book := self.messages.book_of(noun))
            for name in ("acked", "rejected", "duplicate", "superseded")
            if getattr(line, name) != book[name]
        ]

    def planted(self) -> Iterator[Planted]:
        """Each planted fault, beside what the ledger or the rejects file says of it."""
        for file in self.day.prediction.files:
            said = self._said(file)
            for each in file.refused:
                yield Planted(file.name, each.line, each.kind, "; ".join(said.get(str(each.line), [])))
            for line in file.refused_there:
                yield Planted(file.name, line, "refused by the other side", "; ".join(said.get(str(line), [])))
            if file.why_error:
                yield Planted(file.name, None, file.why_error, "; ".join(said.get("", [])))

    def _said(self, file: FilePrediction) -> dict[str, list[str]]:
        said: dict[str, list[str]] = {}
        place, name = self.box.place(f"{file.url}/rejects"), f"{file.name}.rejects.csv"
        if name in place.names():
            text = b"".join(place.read(name)).decode("utf-8", "replace")
            for row in csv.DictReader(text.splitlines()):
                said.setdefault(row["line"], []).append(f"{row['code']}: {row['text']}")
        with self.ledger.read() as tx:
            sources = [flow.source for flow in self.systems.flows.values() if file.url in flow.places]
            seen = [intakes.last_sighting(tx, source, file.name) for source in sources]
            sighting = next(filter(None, seen), None)
            intake = intakes.by_id(tx, sighting.intake_id) if sighting else None
        if intake is not None and intake.refusal_text:
            said[""] = [f"{intake.refusal_code}: {intake.refusal_text}"]
        return said


def _noun_at(noun: str) -> str:
    return "enrollment_ack" if noun == "sync_request" else noun


def _line(flow: str, destination: str, rows: Sequence[Row[Any]], books: Mapping[int, Balance]) -> FlowLine:
    total = {name: sum(books[row.id].as_dict()[name] for row in rows) for name in Balance.__dataclass_fields__}
    ended = [row.ended_at for row in rows if row.ended_at]
    seconds = max(ended) - min(row.opened_at for row in rows) if ended else 0.0
    return FlowLine(flow, destination, len(rows), **total, seconds=round(seconds, 1), far_side="")
