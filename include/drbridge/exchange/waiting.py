"""What waits in a flow's source: the listing minus what the ledger has settled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

from sqlalchemy import Row, and_, or_, select

from drbridge.contracts import FILES
from drbridge.errors import BadInput, Rejected, Unstable
from drbridge.exchange.desk import Desk
from drbridge.exchange.gone import SOURCE_GONE, set_aside, told
from drbridge.exchange.turns import behind, without_record
from drbridge.exchange.work import Work
from drbridge.ledger import intakes, runs
from drbridge.ledger.database import Tx, clock
from drbridge.ledger.intakes import Fingerprint
from drbridge.ledger.states import MOVING, SETTLED, DeliveryState, ParcelState
from drbridge.ledger.tables import deliveries, parcels, sightings
from drbridge.ledger.tables import intakes as intakes_table
from drbridge.ports import Entry, FileStore
from drbridge.systems import Flow

MOST_FILES = 200
LEFT_TO_ANOTHER_RUN_SECONDS = 45.0
NAMELESS_FOR_SECONDS = 600.0


@dataclass(frozen=True)
class Look:
    """One look at a flow's source.

    Attributes:
        ready: names to work on now, at most 200: oldest business date first, then those that wait for a person.
        unquiet: files seen that may still be growing: look again.
        left: how many files did not fit into this run.
        unreadable: files that cannot be looked into, each with the reason.
        gone: what to do about files that went away before they were relayed; their names are among the ready ones.
        settled: those of the ready ones that only want their last name.
        behind: files whose turn has not come, each with what it waits for.
    """

    ready: tuple[str, ...]
    unquiet: tuple[str, ...]
    left: int = 0
    unreadable: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    settled: frozenset[str] = frozenset()
    behind: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Known:
    """Files that the ledger knows and this flow has anything left to do about.

    Attributes:
        unbegun: another flow has taken them, this one has not.
        moving: to deliver.
        halted: they wait for a person.
        settled: only the source wants its last name.
    """

    unbegun: list[Entry] = field(default_factory=list)
    moving: list[Entry] = field(default_factory=list)
    halted: list[Entry] = field(default_factory=list)
    settled: list[Entry] = field(default_factory=list)


@dataclass(frozen=True)
class _New:
    """Files that the ledger does not know yet, by what a look into them says."""

    quiet: list[Entry] = field(default_factory=list)
    unquiet: list[Entry] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    behind: list[str] = field(default_factory=list)


def look(desk: Desk, flow_name: str, work: Work) -> Look:
    """Looks once at the source of a flow; a flow of messages has none.

    Raises:
        RetryLater: the source cannot be listed. A lost connection is never "nothing there".
    """
    flow = desk.systems.flow(flow_name)
    if not flow.source:
        return Look((), ())
    by_age = partial(_age_key, flow)
    store = desk.outside.store(flow.source)
    try:
        entries = store.list()
        with desk.ledger.write() as tx:
            intakes.patrolled(tx, flow.name)
        wanted = [entry for entry in entries if _is_wanted(desk, flow, entry.name, work)]
        seen = _sightings(desk, flow, wanted)
        unknown = sorted((entry for entry in wanted if not _is_known(seen, entry)), key=by_age)
        known = [entry for entry in wanted if _is_known(seen, entry) and _is_of_its_day(seen[entry.name], work)]
        left = _open_files(desk, flow, known, seen)
        behind_others = _behind_others(desk, flow, entries, [*left.unbegun, *unknown])
        unknown = [entry for entry in unknown if entry.name not in behind_others]
        new = _look_into(desk, flow, store, unknown, {entry.name: entry for entry in entries})
    finally:
        store.close()
    begin = [entry for entry in (*left.unbegun, *new.quiet) if entry.name not in behind_others]
    gone = [
        row.name for row in set_aside(desk, flow, entries) if work.wants_name(row.name) and _is_of_its_day(row, work)
    ]
    ranks = ([*left.moving, *left.settled, *begin], left.halted)
    names = [each.name for rank in ranks for each in sorted(rank, key=by_age)]
    put_away = _settled_in_window(desk, flow, work) if work.settled_too else []
    unnamed = [name for name in _unnamed(desk, flow, entries) if work.wants_name(name)]
    names = list(dict.fromkeys([*names, *gone, *unnamed, *put_away]))
    looked_at = len(new.quiet) + len(new.unquiet) + len(new.unreadable) + len(new.behind)
    return Look(
        ready=tuple(names[:MOST_FILES]),
        unquiet=tuple(entry.name for entry in new.unquiet),
        left=len(names[MOST_FILES:]) + len(unknown) - looked_at,
        unreadable=tuple(new.unreadable),
        gone=tuple(told(flow, name) for name in gone),
        settled=frozenset([*(entry.name for entry in left.settled), *unnamed]),
        behind=(*new.behind, *behind_others.values()),
    )


def hand_out(desk: Desk, dag_id: str, run_id: str, seen: Look, work: Work) -> list[str]:
    """Keeps which files a run works on; a cleared run gets those it had, in order, and new ones after them.

    A flow may be woken by an arrival, by the clock and by `resume` within seconds: what one run was just given is left
    to it, unless a person asks, or it is settled and only wants its last name.
    """
    with desk.ledger.write() as tx:
        others = set() if work.by_hand else runs.given_to_others(tx, dag_id, run_id, LEFT_TO_ANOTHER_RUN_SECONDS)
        return runs.give(tx, dag_id, run_id, [name for name in seen.ready if name not in others - seen.settled])


def _is_wanted(desk: Desk, flow: Flow, name: str, work: Work) -> bool:
    if not desk.systems.takes(flow, name) or not work.wants_name(name):
        return False
    return work.wants_time(_date_in(flow, name))


def _date_in(flow: Flow, name: str) -> datetime | None:
    noun = flow.noun_of(name)
    return FILES[noun].business_at_from_name(name) if noun else None


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


def _open_files(desk: Desk, flow: Flow, known: list[Entry], seen: Mapping[str, Row[Any]]) -> _Known:
    """Known files that this flow has anything left to do about."""
    with desk.ledger.read() as tx:
        rows = _deliveries_of(tx, [seen[entry.name].intake_id for entry in known])
    found = _Known()
    for entry in known:
        sharing = {other.name for other in desk.systems.flows_sharing(flow.source, flow.noun_of(entry.name) or "")}
        of_file = [row for row in rows.get(seen[entry.name].intake_id, ()) if row.flow in sharing]
        unsettled = [row for row in of_file if row.state not in SETTLED and _is_carried(desk, row)]
        mine = [row for row in unsettled if row.flow == flow.name]
        opened = {row.destination for row in of_file if row.flow == flow.name}
        if not opened:
            found.unbegun.append(entry)
        elif not opened.issuperset(flow.deliver):
            found.moving.append(entry)
        elif mine and not any(_moves(row) for row in mine):
            found.halted.append(entry)
        elif mine:
            found.moving.append(entry)
        elif not unsettled and _is_everywhere(desk, flow, entry.name, of_file):
            found.settled.append(entry)
    return found


def _is_everywhere(desk: Desk, flow: Flow, name: str, of_file: Sequence[Row[Any]]) -> bool:
    """Whether every flow that shares the file has begun with it."""
    opened = {(row.flow, row.destination) for row in of_file}
    sharing = desk.systems.flows_sharing(flow.source, flow.noun_of(name) or "")
    return opened.issuperset((other.name, to) for other in sharing for to in other.deliver)


def _behind_others(desk: Desk, flow: Flow, entries: list[Entry], begin: list[Entry]) -> dict[str, str]:
    """Those of the files to begin with whose turn has not come, each with what it waits for."""
    if not any(flow.goes_after(entry.name) for entry in begin):
        return {}
    ours = [entry for entry in entries if desk.systems.takes(flow, entry.name)]
    seen = _sightings(desk, flow, ours)
    known = _open_files(desk, flow, [entry for entry in ours if _is_known(seen, entry)], seen)
    new = [entry for entry in ours if not _is_known(seen, entry)]
    undelivered = [entry.name for entry in (*new, *known.unbegun, *known.moving, *known.halted)]
    return behind(flow, [entry.name for entry in begin], undelivered)


def _is_carried(desk: Desk, delivery: Row[Any]) -> bool:
    return delivery.destination in desk.systems.flow(delivery.flow).deliver


def _moves(delivery: Row[Any]) -> bool:
    return bool(delivery.state == DeliveryState.ASKED or (delivery.state == DeliveryState.OPEN and delivery.may_move))


def _deliveries_of(tx: Tx, intake_ids: Sequence[int]) -> dict[int, list[Row[Any]]]:
    """The deliveries of each intake, and whether anything of them goes on without a person."""
    goes_on = or_(
        parcels.c.state.in_(MOVING), and_(parcels.c.state == ParcelState.PARKED, parcels.c.code == SOURCE_GONE)
    )
    may_move = select(parcels.c.id).where(parcels.c.delivery_id == deliveries.c.id, goes_on).exists()
    found: dict[int, list[Row[Any]]] = {}
    for start in range(0, len(intake_ids), 500):
        part = deliveries.c.intake_id.in_(intake_ids[start : start + 500])
        for row in tx.execute(select(deliveries, may_move.label("may_move")).where(part)):
            found.setdefault(row.intake_id, []).append(row)
    return found


def _look_into(desk: Desk, flow: Flow, store: FileStore, entries: list[Entry], there: Mapping[str, Entry]) -> _New:
    """Tells files that are whole from those that may still be growing, at most 200 of them, and from unreadable ones.

    One file that cannot be looked into stops no other; a server that does not answer stops all.
    """
    new = _New()
    for entry in entries:
        if len(new.quiet) + len(new.unquiet) == MOST_FILES:
            break
        if waits := without_record(flow, entry.name, there):
            new.behind.append(waits)
            continue
        try:
            is_quiet = _is_whole(desk, flow, store, entry, there)
        except (BadInput, Rejected) as error:
            new.unreadable.append(f"{entry.name}: {error}")
        except Unstable:
            new.unquiet.append(entry)
        else:
            (new.quiet if is_quiet else new.unquiet).append(entry)
    return new


def _is_whole(desk: Desk, flow: Flow, store: FileStore, entry: Entry, there: Mapping[str, Entry]) -> bool:
    """Whether a file, and its control record where one is agreed, have stopped growing."""
    if flow.control_record and not _is_quiet(desk, flow, store, there[entry.name + flow.control_record]):
        return False
    return entry.name + flow.done_marker in there or _is_quiet(desk, flow, store, entry)


def _is_quiet(desk: Desk, flow: Flow, store: FileStore, entry: Entry) -> bool:
    """Whether the file has looked the same for a quiet time; what was seen is kept for the next look."""
    seen = Fingerprint(entry.name, entry.size, entry.mtime, store.ends_hash(entry.name, entry.size))
    with desk.ledger.write() as tx:
        return intakes.seconds_unchanged(tx, flow.source, seen) >= desk.systems.site.quiet_seconds


def _unnamed(desk: Desk, flow: Flow, entries: Sequence[Entry]) -> list[str]:
    """Files settled lately that are not there under their names, and of which nobody noted a last one.

    The worker that renamed the source was lost before it noted that; or somebody took the file away.
    """
    newer = sightings.alias()
    of_newer = (newer.c.intake_id == sightings.c.intake_id, newer.c.source == flow.source, newer.c.id > sightings.c.id)
    with desk.ledger.read() as tx:
        lately = deliveries.c.ended_at > clock(tx) - NAMELESS_FOR_SECONDS
        names = tx.execute(
            select(sightings.c.name)
            .distinct()
            .join_from(sightings, deliveries, sightings.c.intake_id == deliveries.c.intake_id)
            .where(sightings.c.source == flow.source, sightings.c.renamed_at.is_(None))
            .where(~select(newer.c.id).where(*of_newer).exists())
            .where(deliveries.c.flow == flow.name, deliveries.c.state.in_(SETTLED), lately)
        ).scalars()
        return sorted(set(names) - {entry.name for entry in entries})


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
