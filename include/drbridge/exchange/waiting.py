"""What waits in a flow's source: the listing minus what the ledger has settled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, select, update

from drbridge.contracts import CONTRACTS
from drbridge.exchange.desk import Desk
from drbridge.exchange.work import Work
from drbridge.ledger import deliveries, intakes, runs
from drbridge.ledger.database import Tx, clock, insert_if_new
from drbridge.ledger.intakes import Fingerprint
from drbridge.ledger.states import SETTLED
from drbridge.ledger.tables import intakes as intakes_table
from drbridge.ledger.tables import looks, sightings
from drbridge.ports import Entry, FileStore
from drbridge.systems import Flow

MOST_FILES = 200
LEFT_TO_ANOTHER_RUN_SECONDS = 45.0


@dataclass(frozen=True)
class Look:
    """One look at a flow's source.

    Attributes:
        ready: names to work on now, oldest business date first, at most 200.
        unquiet: files seen that may still be growing: look again.
        left: how many ready files did not fit into this run.
    """

    ready: tuple[str, ...]
    unquiet: tuple[str, ...]
    left: int = 0


def look(desk: Desk, flow_name: str, work: Work) -> Look:
    """Looks once at the source of a flow.

    Raises:
        RetryLater: the source cannot be listed. A lost connection is never "nothing there".
    """
    flow = desk.systems.flow(flow_name)
    store = desk.outside.store(flow.source)
    try:
        entries = store.list()
        every_name = {entry.name for entry in entries}
        wanted = [entry for entry in entries if _is_wanted(desk, flow, entry.name, work)]
        with desk.ledger.write() as tx:
            intakes.patrolled(tx, flow.name)
        seen = _sightings(desk, flow, wanted)
        known = [entry for entry in wanted if _is_known(seen, entry) and _is_of_its_day(seen[entry.name], work)]
        open_files = [entry for entry in known if _is_open(desk, flow, seen[entry.name])]
        new = sorted((entry for entry in wanted if not _is_known(seen, entry)), key=lambda entry: _age_key(flow, entry))
        quiet, unquiet = _by_quiet(desk, flow, store, new[:MOST_FILES], every_name)
    finally:
        store.close()
    ready = sorted({*open_files, *quiet}, key=lambda entry: _age_key(flow, entry))
    names = [entry.name for entry in ready]
    if work.settled_too:
        names += [name for name in _settled_in_window(desk, flow, work) if name not in names]
    left = max(0, len(names) + len(new[MOST_FILES:]) - MOST_FILES)
    return Look(tuple(names[:MOST_FILES]), tuple(entry.name for entry in unquiet), left)


def hand_out(desk: Desk, dag_id: str, run_id: str, names: Sequence[str], work: Work) -> list[str]:
    """Keeps which files a run works on; a cleared run gets those it had, in order, and new ones after them.

    A flow may be woken by an arrival, by the clock and by `resume` within seconds: what one run was just given is left
    to it, unless a person asks.
    """
    with desk.ledger.write() as tx:
        others = set() if work.by_hand else runs.given_to_others(tx, dag_id, run_id, LEFT_TO_ANOTHER_RUN_SECONDS)
        return runs.give(tx, dag_id, run_id, [name for name in names if name not in others])


def _is_wanted(desk: Desk, flow: Flow, name: str, work: Work) -> bool:
    if not desk.systems.takes(flow, name) or not work.wants_name(name):
        return False
    return work.wants_time(_date_in(flow, name))


def _date_in(flow: Flow, name: str) -> datetime | None:
    noun = flow.noun_of(name)
    return CONTRACTS[noun].business_at_from_name(name) if noun else None


def _age_key(flow: Flow, entry: Entry) -> tuple[float, str]:
    moment = _date_in(flow, entry.name)
    return (moment.timestamp() if moment else entry.mtime, entry.name)


def _sightings(desk: Desk, flow: Flow, entries: list[Entry]) -> Mapping[str, Row[Any]]:
    with desk.ledger.read() as tx:
        return intakes.sightings_of(tx, flow.source, [entry.name for entry in entries])


def _is_known(seen: Mapping[str, Row[Any]], entry: Entry) -> bool:
    row = seen.get(entry.name)
    return row is not None and (row.size, row.mtime) == (entry.size, entry.mtime)


def _is_of_its_day(sighting: Row[Any], work: Work) -> bool:
    """Whether a file that was read before lies in the window: its business date may stand in its content only."""
    return work.wants_time(datetime.fromtimestamp(sighting.business_at, UTC))


def _is_open(desk: Desk, flow: Flow, sighting: Row[Any]) -> bool:
    """Whether this flow has anything left to do about a known file: deliver it, or give its source its last name."""
    noun = flow.noun_of(sighting.name)
    flows = {other.name for other in desk.systems.flows_sharing(flow.source, noun or "")}
    with desk.ledger.read() as tx:
        rows = [row for row in deliveries.of_intake(tx, sighting.intake_id) if row.flow in flows]
    carried = [row for row in rows if row.destination in desk.systems.flow(row.flow).deliver]
    mine_open = any(row.state not in SETTLED for row in carried if row.flow == flow.name)
    return mine_open or all(row.state in SETTLED for row in carried)


def _by_quiet(
    desk: Desk, flow: Flow, store: FileStore, entries: list[Entry], every_name: set[str]
) -> tuple[list[Entry], list[Entry]]:
    """Tells files that are whole from those that may still be growing, and keeps what was seen of the latter."""
    quiet: list[Entry] = []
    unquiet: list[Entry] = []
    for entry in entries:
        if entry.name + flow.done_marker in every_name:
            quiet.append(entry)
            continue
        print_ = Fingerprint(entry.name, entry.size, entry.mtime, store.ends_hash(entry.name, entry.size))
        with desk.ledger.write() as tx:
            agreed = _seconds_unchanged(tx, flow.source, print_)
        (quiet if agreed >= desk.systems.site.quiet_seconds else unquiet).append(entry)
    return quiet, unquiet


def _seconds_unchanged(tx: Tx, source: str, seen: Fingerprint) -> float:
    """How long the file has looked the same, by the ledger's clock; a change starts the count anew."""
    now = clock(tx)
    same = (looks.c.source == source, looks.c.name == seen.name)
    row = tx.execute(select(looks, (now - looks.c.since_at).label("age")).where(*same)).first()
    if row is not None and (row.size, row.mtime, row.ends_hash) == (seen.size, seen.mtime, seen.ends_hash):
        return float(row.age)
    values = {"size": seen.size, "mtime": seen.mtime, "ends_hash": seen.ends_hash}
    if not insert_if_new(tx, looks, source=source, name=seen.name, since_at=now, **values):
        tx.execute(update(looks).where(*same).values(since_at=now, **values))
    return 0.0


def _settled_in_window(desk: Desk, flow: Flow, work: Work) -> list[str]:
    """Names of archived files of the window's days: a backfill shows them, and sends nothing of them again."""
    if work.since is None or work.until is None:
        return []
    with desk.ledger.read() as tx:
        rows = tx.execute(
            select(sightings.c.name, intakes_table.c.business_at)
            .join_from(sightings, intakes_table)
            .where(
                sightings.c.source == flow.source,
                sightings.c.renamed_at.is_not(None),
                intakes_table.c.business_at >= work.since.astimezone(UTC).timestamp(),
                intakes_table.c.business_at < work.until.astimezone(UTC).timestamp(),
            )
            .order_by(intakes_table.c.business_at, sightings.c.id)
        )
        return [row.name for row in rows if flow.noun_of(row.name) and work.wants_name(row.name)]
