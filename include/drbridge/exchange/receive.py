"""Receiving a file: one pass that hashes, checks and stages it, then one transaction that writes it down.

Shared by `take` (the rows travel later, by request) and `relay` (the bytes travel on while they are read).
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row

from drbridge.checks import FileCheck, FileReport, Limits
from drbridge.contracts import FILES, Contract
from drbridge.contracts.contract import stamp_in
from drbridge.contracts.control_record import ControlRecord
from drbridge.errors import BadInput, Unstable
from drbridge.exchange.acks import owe_answer, settle, withdraw_answer
from drbridge.exchange.again import resend_parcels
from drbridge.exchange.cutting import Age, cut
from drbridge.exchange.desk import Desk
from drbridge.exchange.lanes import keeper
from drbridge.exchange.operations import operation_of
from drbridge.exchange.staging import Need, StagedFile, explained
from drbridge.exchange.turns import control_record
from drbridge.ledger import audit, deliveries, intakes, parcels
from drbridge.ledger.database import Tx
from drbridge.ledger.deliveries import NewDelivery, lane_of, relay_lane_of
from drbridge.ledger.intakes import Arrival, Fingerprint
from drbridge.ledger.leases import Lease
from drbridge.ledger.parcels import Span
from drbridge.ledger.states import DeliveryState, ParcelState
from drbridge.ports import FileStore
from drbridge.spans import OpenFile
from drbridge.systems import Destination, Endpoint, Flow, Store

OVER_THRESHOLD = "over_threshold"


@dataclass(frozen=True)
class Received:
    """A file read to its end.

    Attributes:
        staged: what was staged of it; None when it was refused whole.
        refusal: why it does not travel (broken, or more bad rows than the threshold), or None.
        has_name_back: whether what we had marked as refused under its name is not there any more.
        control_record: the control record that came with it, where one is agreed.
    """

    flow: Flow

    contract: Contract
    report: FileReport
    staged: StagedFile | None
    seen: Fingerprint
    refusal: BadInput | None
    business_at: float
    has_name_back: bool
    control_record: bytes | None

    @property
    def source(self) -> str:
        return self.flow.source

    @property
    def version_at(self) -> float:
        """Tells two files of one business date apart: the stamp in the name, else the file's own time."""
        stamp = stamp_in(self.seen.name)
        return stamp.timestamp() if stamp else self.seen.mtime

    @property
    def arrival(self) -> Arrival:
        report = self.report
        return Arrival(
            noun=self.contract.noun,
            sha256=report.sha256,
            name_key=self.seen.name if report.rows == 0 else "",
            name=self.seen.name,
            source=self.source,
            bytes=report.bytes,
            rows=report.rows,
            accepted=report.accepted,
            rejected=report.rejected,
            duplicate=report.duplicate,
            refusal_code=self.refusal.code if self.refusal else None,
            refusal_text=str(self.refusal) if self.refusal else None,
            business_at=self.business_at,
        )


def contract_of(flow: Flow, name: str) -> Contract:
    """The contract a file falls under by the start of its name.

    Raises:
        BadInput: the flow takes no file of this name.
    """
    noun = flow.noun_of(name)
    if noun is None:
        raise BadInput(
            f"The flow {flow.name} takes no file called {name}", code="unknown_name",
            fix=f"its files start with {', '.join(flow.prefixes)}",
        )  # fmt: skip
    return FILES[noun]


def needed(desk: Desk, source: str, noun: str) -> Need:
    """What the destinations of all flows that share the file need staged."""
    need = Need()
    for flow in desk.systems.flows_sharing(source, noun):
        for name in flow.deliver:
            destination = desk.systems.destination(name)
            if isinstance(destination, Endpoint):
                need = need | operation_of(destination).need
    return need


def read_file(
    desk: Desk, flow: Flow, seen: Fingerprint, source: FileStore, open_file: OpenFile, lease: Lease
) -> Received:
    """Reads, hashes, checks and stages a file in one pass, keeping the lease while it goes."""
    contract = contract_of(flow, seen.name)
    with explained(desk.staging.root):
        report, staged = _checked(desk, flow, contract, open_file, lease)
    record = control_record(flow, source, seen.name)
    refusal = _refusal(desk, flow, contract.noun, report) or _disagreement(report, seen.name, record)
    return Received(
        flow, contract, report, staged, seen, refusal, _business_at(contract, report, seen),
        _has_name_back(desk, source, flow.source, seen.name), record,
    )  # fmt: skip


def _has_name_back(desk: Desk, store: FileStore, source: str, name: str) -> bool:
    """Whether what we renamed when we last saw the name lies there no more: else it was only laid down once more."""
    with desk.ledger.read() as tx:
        last = intakes.last_sighting(tx, source, name)
    return last is not None and last.renamed_to is not None and store.stat(last.renamed_to) is None


def _checked(
    desk: Desk, flow: Flow, contract: Contract, open_file: OpenFile, lease: Lease
) -> tuple[FileReport, StagedFile | None]:
    site = desk.systems.site
    run = desk.staging.begin(contract, needed(desk, flow.source, contract.noun), flow.delimiter)
    try:
        check = FileCheck(
            contract,
            workdir=run.check_folder,
            now=desk.clock.now(),
            delimiter=flow.delimiter,
            limits=Limits(max_bytes=site.max_file_bytes, max_unpacked_bytes=site.max_unpacked_bytes),
        )
        keep = keeper(desk, lease)
        with closing(check.blocks(open_file)) as blocks:
            for block in blocks:
                keep()
                run.write(block)
                del block  # not kept while the next is waited for
        report = check.report()
        return report, None if report.refusal else run.publish(report)
    finally:
        run.discard()


def _refusal(desk: Desk, flow: Flow, noun: str, report: FileReport) -> BadInput | None:
    if report.refusal or not report.rejected:
        return report.refusal
    threshold = desk.systems.threshold(flow)
    share = 100 * report.rejected / report.rows
    if share <= threshold or _is_approved(desk, noun, report.sha256):
        return None
    return BadInput(
        f"{report.rejected} of {report.rows} rows are refused ({share:.1f} %), more than the {threshold:g} % allowed",
        detail=", ".join(f"{code}: {count}" for code, count in report.problem_counts.items()),
        fix="correct the file at its source, or raise reject_threshold_percent and give the file its old name back",
        code=OVER_THRESHOLD,
    )


def _is_approved(desk: Desk, noun: str, sha256: str) -> bool:
    """Whether a person has seen how many of the file's rows are bad, and lets the good ones go."""
    with desk.ledger.read() as tx:
        return intakes.is_approved(tx, noun, sha256)


def _disagreement(report: FileReport, name: str, record: bytes | None) -> BadInput | None:
    """Why a file is not what its control record says, or None."""
    if record is None:
        return None
    try:
        told = ControlRecord.read(record).disagreement(name, report.rows, report.sums, report.sha256)
    except BadInput as unreadable:
        return unreadable
    fix = "have file and control record written again, or correct the record, then give the file its old name back"
    return BadInput("The file is not what its control record says", told, fix, code="totals_differ") if told else None


def _business_at(contract: Contract, report: FileReport, seen: Fingerprint) -> float:
    moment: datetime | None = contract.business_at_from_name(seen.name) or report.business_at
    return (moment or datetime.fromtimestamp(seen.mtime, UTC)).timestamp()


def write_down(desk: Desk, tx: Tx, received: Received) -> Row[Any]:
    """Writes the intake, its deliveries and their parcels, in the caller's transaction; a known one is only sighted.

    A file that we had marked as refused and that has its old name back is judged anew: a person asked for it.
    """
    arrival, report = received.arrival, received.report
    is_new = intakes.add(tx, arrival, report.problem_counts, report.first_problems) is not None
    known = intakes.find(tx, arrival.noun, arrival.sha256, arrival.name_key)
    assert known is not None
    prefix = desk.systems.site.error_prefix
    is_given_back = received.has_name_back and not is_new
    if is_given_back and intakes.was_given_back(tx, known.id, received.source, received.seen.name, prefix):
        _ask_again(desk, tx, known.id, received.seen.name)
    intakes.sight(tx, known.id, received.source, received.seen)
    is_judged_anew = False
    for flow in begun_together(desk, received.flow, arrival.noun):
        for destination in flow.deliver:
            row = deliveries.find(tx, known.id, flow.name, destination)
            if row is not None and row.state == DeliveryState.ASKED:
                deliveries.forget_refusal(tx, row.id)
                withdraw_answer(tx, known.id, flow)
                is_judged_anew, row = True, None
            if row is None:
                open_delivery(desk, tx, known.id, flow, destination, received)
    if is_judged_anew:
        intakes.judged_anew(tx, known.id, arrival, report.problem_counts, report.first_problems)
    return known


def _ask_again(desk: Desk, tx: Tx, intake_id: int, name: str) -> None:
    """Opens what was refused of an intake once more; what was accepted stays as it is."""
    audit.note(tx, "a person at the source", "resend failed", name, "the file was given its old name back")
    flows = desk.systems.flows
    for row in tx.execute(deliveries.with_intakes(intake_id=intake_id)).all():
        if row.state == DeliveryState.REFUSED:
            deliveries.ask(tx, row.id)
        elif row.state == DeliveryState.DONE and row.flow in flows and row.destination in flows[row.flow].deliver:
            resend_parcels(desk, tx, row, (ParcelState.REJECTED,))


def begun_together(desk: Desk, flow: Flow, noun: str) -> list[Flow]:
    """The flows that begin with a file when this one does: all that share it, but those that keep an order of kinds.

    A later kind may be in its turn at one destination, and not yet at another.
    """
    sharing = desk.systems.flows_sharing(flow.source, noun)
    return [other for other in sharing if other.name == flow.name or not other.after]


def is_judged(desk: Desk, tx: Tx, intake: Row[Any], asked: Flow) -> bool:
    """Whether every delivery that a flow opens of an intake is there, and none is to be judged anew."""
    for flow in begun_together(desk, asked, intake.noun):
        for destination in flow.deliver:
            row = deliveries.find(tx, intake.id, flow.name, destination)
            if row is None or row.state == DeliveryState.ASKED:
                return False
    return True


def open_delivery(desk: Desk, tx: Tx, intake_id: int, flow: Flow, name: str, received: Received) -> None:
    """Opens one delivery of an intake, with its parcels; does nothing when it is there already."""
    report, destination = received.report, desk.systems.destination(name)
    is_relay = isinstance(destination, Store)
    lane = relay_lane_of(flow.name, name, report.sha256) if is_relay else lane_of(flow.name, name)
    new, spans = _plan(desk, tx, received, flow, destination, lane)
    delivery_id = deliveries.add(tx, intake_id, received.business_at, new)
    if delivery_id is None:
        return
    parcels.add(tx, delivery_id, report.sha256, name, spans)
    if new.state == DeliveryState.REFUSED:
        owe_answer(tx, intake_id, flow, received.business_at)
    settle(tx, flow, [delivery_id])


def _plan(
    desk: Desk, tx: Tx, received: Received, flow: Flow, destination: Destination, lane: str
) -> tuple[NewDelivery, Iterable[Span]]:
    report, name, staged = received.report, destination.name, received.staged
    new = NewDelivery(
        flow.name, name, lane, DeliveryState.OPEN, report.rows,
        version_at=received.version_at, verdict=staged.manifest.verdict if staged else "",
    )  # fmt: skip
    if received.refusal is not None or staged is None:
        refused, why = report.rows - report.duplicate, str(received.refusal)
        return replace(
            new, state=DeliveryState.REFUSED, rejected_rows=refused, duplicate_rows=report.duplicate, note=why
        ), ()
    if isinstance(destination, Store):
        return replace(new, flagged_rows=report.rejected), [Span(0, max(report.rows - 1, 0), report.rows)]
    plan = cut(desk, tx, staged, flow, destination, Age(received.business_at, received.version_at))
    return replace(
        new, rejected_rows=report.rejected, duplicate_rows=report.duplicate, superseded_rows=plan.superseded_rows
    ), plan.spans


def fingerprint(store: FileStore, name: str) -> Fingerprint | None:
    """A quick look at a file: size, mtime and both ends; None when it is not there, or goes away meanwhile."""
    entry = store.stat(name)
    if entry is None:
        return None
    try:
        return Fingerprint(name, entry.size, entry.mtime, store.ends_hash(name, entry.size))
    except Unstable:
        if store.stat(name) is None:
            return None
        raise


def known_intake(desk: Desk, source: str, name: str, seen: Fingerprint | None) -> Row[Any] | None:
    """The intake that a file is already known as, if it has not changed since, or has been archived by us."""
    with desk.ledger.read() as tx:
        sighting = intakes.last_sighting(tx, source, name) if seen is None else intakes.sighting(tx, source, name)
        if sighting is None:
            return None
        same = seen is None or (sighting.size, sighting.mtime, sighting.ends_hash) == (
            seen.size, seen.mtime, seen.ends_hash,
        )  # fmt: skip
        return intakes.by_id(tx, sighting.intake_id) if same else None
