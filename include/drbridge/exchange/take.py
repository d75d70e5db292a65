"""Taking a file in: read once, checked, staged, written down. Nothing is sent here."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from sqlalchemy import Row

from drbridge.exchange.desk import Desk
from drbridge.exchange.lanes import working_on
from drbridge.exchange.receive import Received, fingerprint, is_judged, known_intake, read_file, write_down
from drbridge.systems import Flow


@dataclass(frozen=True)
class TakeResult:
    """What became of one file.

    Attributes:
        state: taken (new), known (taken before: nothing was read again), refused, gone (it is not there any more),
            busy (another worker is taking it now).
        text: one line for the log.
    """

    name: str
    state: str
    text: str
    rows: int = 0
    accepted: int = 0
    rejected: int = 0
    duplicate: int = 0
    sha256: str = ""

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


def take(desk: Desk, flow_name: str, file_name: str) -> TakeResult:
    """Takes one file in, once: for a file already taken it returns at once.

    Raises:
        RetryLater: the source cannot be reached, or the file is still changing.
    """
    flow = desk.systems.flow(flow_name)
    store = desk.outside.store(flow.source)
    try:
        seen = fingerprint(store, file_name)
        known = known_intake(desk, flow.source, file_name, seen)
        if known is not None and (seen is None or _is_judged(desk, known, flow)):
            counts = (known.rows, known.accepted, known.rejected, known.duplicate, known.sha256)
            return TakeResult(file_name, "known", f"{file_name} was taken before", *counts)
        if seen is None:
            return TakeResult(file_name, "gone", f"{file_name} is not there any more")
        with working_on(desk, f"take {flow.source}/{file_name}") as lease:
            if lease is None:
                return TakeResult(file_name, "busy", f"another worker is taking {file_name}")
            received = read_file(desk, flow, seen, store, partial(store.open, file_name), lease)
            return _written_down(desk, received)
    finally:
        store.close()


def _is_judged(desk: Desk, known: Row[Any], flow: Flow) -> bool:
    with desk.ledger.read() as tx:
        return is_judged(desk, tx, known, flow)


def _written_down(desk: Desk, received: Received) -> TakeResult:
    with desk.ledger.write() as tx:
        write_down(desk, tx, received)
    report, name = received.report, received.seen.name
    counts = (report.rows, report.accepted, report.rejected, report.duplicate, report.sha256)
    if received.refusal is not None:
        return TakeResult(name, "refused", str(received.refusal), *counts)
    return TakeResult(
        name, "taken", f"{name}: {report.rows} rows, {report.accepted} accepted, {report.rejected} refused", *counts
    )
