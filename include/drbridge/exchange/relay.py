"""Relaying a file: byte for byte from a source into a store, checked and hashed while it streams."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from hashlib import sha256

from drbridge.errors import DrBridgeError, RetryLater, Unstable, WrongLogin
from drbridge.exchange.desk import Desk
from drbridge.exchange.gone import come_back
from drbridge.exchange.lanes import keeper, working_on
from drbridge.exchange.outcomes import LONGEST_WAIT_SECONDS, back_off
from drbridge.exchange.receive import Received, fingerprint, known_intake, read_file, write_down
from drbridge.exchange.uploads import Noted
from drbridge.exchange.work import Work
from drbridge.ledger import deliveries, leases, parcels, queue, targets
from drbridge.ledger.deliveries import relay_lane_of
from drbridge.ledger.intakes import Fingerprint
from drbridge.ledger.leases import Lease
from drbridge.ledger.parcels import Claim, Outcome, Settled
from drbridge.ledger.states import SETTLED, ParcelState
from drbridge.ports import AlreadyThere, Entry, FileStore, Upload, UploadNote
from drbridge.spans import OpenFile, Spans
from drbridge.systems import Flow, Store


@dataclass(frozen=True)
class RelayResult:
    """What became of one file at one store.

    Attributes:
        state: sent, known (it was there already), refused, gone, busy, open (its turn comes later), would_send.
    """

    name: str
    destination: str
    state: str
    text: str
    rows: int = 0
    flagged: int = 0
    sha256: str = ""

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


def relay(desk: Desk, flow_name: str, file_name: str, work: Work) -> list[RelayResult]:
    """Relays one file to every store that the flow delivers to; one that fails keeps nothing from the others.

    Raises:
        RetryLater: source or store cannot be reached, or the file is still changing.
        DrBridgeError: a store does not take it; the ledger knows, and the next run tries again.
    """
    flow = desk.systems.flow(flow_name)
    stores = [each for name in flow.deliver if isinstance(each := desk.systems.destination(name), Store)]
    source = desk.outside.store(flow.source)
    results: list[RelayResult] = []
    failures: list[DrBridgeError] = []
    try:
        for store in stores:
            try:
                results.append(_relay_to(desk, flow, source, store, file_name, work))
            except DrBridgeError as error:
                failures.append(error)
    finally:
        source.close()
    if failures:
        raise failures[0]
    return results


def _relay_to(desk: Desk, flow: Flow, source: FileStore, store: Store, name: str, work: Work) -> RelayResult:
    seen = fingerprint(source, name)
    if (known := _settled(desk, flow, store, name, seen)) is not None:
        return known
    if seen is None:
        return RelayResult(name, store.name, "gone", f"{name} is not there any more")
    if work.dry_run:
        return RelayResult(name, store.name, "would_send", f"would put {name}, {seen.size} bytes, into {store.url}")
    with working_on(desk, f"relay {flow.name} > {store.name} > {name}") as lease:
        if lease is None:
            return RelayResult(name, store.name, "busy", f"another worker is relaying {name}")
        return _Relay(desk, flow, source, store, seen, work).run(lease, name)


def _settled(desk: Desk, flow: Flow, store: Store, name: str, seen: Fingerprint | None) -> RelayResult | None:
    intake = known_intake(desk, flow.source, name, seen)
    if intake is None:
        return None
    with desk.ledger.read() as tx:
        row = deliveries.find(tx, intake.id, flow.name, store.name)
    if row is None or row.state not in SETTLED:
        return None
    return RelayResult(name, store.name, "known", f"{name} was dealt with before", intake.rows, sha256=intake.sha256)


class _Relay:
    """One file on its way into one store."""

    def __init__(self, desk: Desk, flow: Flow, source: FileStore, store: Store, seen: Fingerprint, work: Work) -> None:
        self.desk, self.flow, self.source, self.store, self.seen, self.work = desk, flow, source, store, seen, work

    def run(self, lease: Lease, target_name: str) -> RelayResult:
        """Streams the file into a hidden upload, writes down what it is, and only then lets it be seen."""
        with ExitStack() as stack:
            sink = _Sink(stack, self.seen.size)
            if self._may_be_called():
                sink.begin(self._target, target_name, Noted(self.desk.ledger, self.store.url, target_name))
            open_file = sink.beside(partial(self.source.open, self.seen.name))
            received = read_file(self.desk, self.flow, self.seen, self.source, open_file, lease)
            self._look_again(lease)
            sha = received.report.sha256
            lane = stack.enter_context(working_on(self.desk, relay_lane_of(self.flow.name, self.store.name, sha)))
            place = stack.enter_context(working_on(self.desk, f"put > {self.store.url} > {target_name}"))
            if lane is None or place is None:
                return self._result(received, "busy", "another worker is putting the same bytes, or name, there")
            claim, text = self._claim(lane, received)
            if claim is None:
                return self._result(received, "refused" if received.refusal else "known", text)
            if claim.file_name != target_name:
                outcome = Outcome(ParcelState.PENDING, "renamed", f"goes under its first name {claim.file_name}")
            else:
                outcome = self._complete(sink, received, claim, keeper(self.desk, lease, lane, place))
            self._settle(lane, claim, outcome)
        if claim.file_name != target_name:
            return self.run(lease, claim.file_name)
        return self._verdict(received, outcome, sink)

    def _look_again(self, lease: Lease) -> None:
        """Makes sure that the file is still ours: a late worker must not take back what its successor puts."""
        with self.desk.ledger.write() as tx:
            leases.keep(tx, lease)

    def _may_be_called(self) -> bool:
        """Whether the store is not being left alone after failures."""
        with self.desk.ledger.write() as tx:
            if self.work.by_hand:
                targets.try_again_now(tx, self.store.connection)
            return targets.health(tx, self.store.connection).wait_seconds <= 0

    def _target(self) -> FileStore:
        return self.desk.outside.store(self.store.url)

    def _claim(self, lane: Lease, received: Received) -> tuple[Claim | None, str]:
        """Writes the arrival down and marks its parcel as under way, before the upload is completed."""
        with self.desk.ledger.write() as tx:
            leases.keep(tx, lane)
            intake = write_down(self.desk, tx, received)
            if received.refusal is not None:
                return None, str(received.refusal)
            row = deliveries.find(tx, intake.id, self.flow.name, self.store.name)
            if row is None or row.state in SETTLED:
                return None, f"the same bytes were delivered before as {intake.name}"
            parcels.doubt_older_epochs(tx, lane)
            come_back(tx, row.id)
            parcels.hurry(tx, lane.lane)
            claims = queue.claim(tx, lane, row.id, 1)
            return (claims[0], "") if claims else (None, "a person must decide about it first")

    def _complete(self, sink: _Sink, received: Received, claim: Claim, keep: Callable[[], None]) -> Outcome:
        """Lets the object be seen, and says what came of it; a failure is noted before the task tells of it."""
        if sink.error is None and sink.upload is not None:
            try:
                return self._put_in_place(sink.upload, received, claim, keep)
            except RetryLater as error:
                sink.error = error
                return _failed(ParcelState.UNKNOWN, "no_answer", error, back_off(claim.tries))
            except DrBridgeError as error:
                sink.error = error
        if sink.error is None:
            text = f"{self.store.name} is being left alone after failures"
            return Outcome(ParcelState.PENDING, "unreachable", text, wait_seconds=back_off(claim.tries))
        if isinstance(sink.error, WrongLogin):
            return Outcome(ParcelState.PENDING, "wrong_login", str(sink.error), wait_seconds=LONGEST_WAIT_SECONDS,
                           stop="connection")  # fmt: skip
        if isinstance(sink.error, RetryLater):
            return _failed(ParcelState.PENDING, "unreachable", sink.error, back_off(claim.tries))
        return _failed(ParcelState.PENDING, "misconfigured", sink.error, LONGEST_WAIT_SECONDS)

    def _put_in_place(self, upload: Upload, received: Received, claim: Claim, keep: Callable[[], None]) -> Outcome:
        """Completes the upload; what lies there already is compared, never overwritten unless we put it there."""
        try:
            entry = upload.complete(received.report.sha256, self._ours_there(claim))
            outcome = Outcome(ParcelState.ACKED, "stored", version=entry.version)
        except AlreadyThere as there:
            outcome = self._compare(there.entry, received.report.sha256, keep)
        if outcome.state is ParcelState.ACKED and received.control_record is not None:
            self._lay_record(claim.file_name, received.control_record)
        return outcome

    def _lay_record(self, name: str, record: bytes) -> None:
        """Has the control record follow its file, which is ours; what lies there of an earlier try gives way."""
        there = self._target()
        try:
            there.remove(name + self.flow.control_record)
            with there.upload(name + self.flow.control_record) as upload:
                upload.write(record)
                upload.complete(sha256(record).hexdigest())
        except AlreadyThere as error:
            raise Unstable(
                f"Somebody else laid a control record of {name} there", fix="nothing: it goes again"
            ) from error
        finally:
            there.close()

    def _ours_there(self, claim: Claim) -> str | None:
        """The version of the object of this name that we ourselves put there before, if we did."""
        with self.desk.ledger.read() as tx:
            return parcels.version_put(tx, self.store.name, claim.file_name)

    def _compare(self, entry: Entry, sha: str, keep: Callable[[], None]) -> Outcome:
        there = self._target()
        digest = sha256()
        try:
            with there.open(entry.name) as chunks:
                for chunk in chunks:
                    keep()
                    digest.update(chunk)
        finally:
            there.close()
        if digest.hexdigest() == sha:
            return Outcome(ParcelState.ACKED, "already_there", version=entry.version)
        text = f"{self.store.url} holds another file called {entry.name}, which we did not put there"
        return Outcome(ParcelState.REJECTED, "conflict", text)

    def _settle(self, lane: Lease, claim: Claim, outcome: Outcome) -> None:
        now = self.desk.clock.now().timestamp()
        with self.desk.ledger.write() as tx:
            leases.keep(tx, lane)
            parcels.settle(tx, lane, [Settled(claim, outcome, now, 0.0)])
            if outcome.stop:
                targets.stopped(tx, self.store.connection, outcome.text)
            elif outcome.target_failed:
                targets.failed(tx, self.store.connection, outcome.text)
            elif outcome.state is ParcelState.ACKED:
                targets.succeeded(tx, self.store.connection)
            deliveries.settle(tx, [claim.delivery_id])

    def _verdict(self, received: Received, outcome: Outcome, sink: _Sink) -> RelayResult:
        if outcome.state is ParcelState.ACKED:
            return self._result(received, "sent", f"{self.seen.name} is in {self.store.url}, byte for byte")
        if outcome.state is ParcelState.REJECTED:
            return self._result(received, "refused", outcome.text)
        if sink.error is not None:
            raise sink.error
        return self._result(received, "open", outcome.text)

    def _result(self, received: Received, state: str, text: str) -> RelayResult:
        report = received.report
        return RelayResult(self.seen.name, self.store.name, state, text, report.rows, report.rejected, report.sha256)


def _failed(state: ParcelState, code: str, error: DrBridgeError, wait_seconds: float) -> Outcome:
    return Outcome(state, code, str(error), wait_seconds=wait_seconds, target_failed=True)


class _Sink:
    """Where the bytes go while they are checked. When it fails the check goes on, so that the arrival is known."""

    def __init__(self, stack: ExitStack, size: int) -> None:
        self.error: DrBridgeError | None = None
        self.upload: Upload | None = None
        self._stack, self._size = stack, size
        self._fresh = True

    def begin(self, open_store: Callable[[], FileStore], name: str, note: UploadNote) -> None:
        """Opens the upload."""
        try:
            store = open_store()
            self._stack.callback(store.close)
            self.upload = self._stack.enter_context(store.upload(name, self._size, note))
        except DrBridgeError as error:
            self.error = error

    def beside(self, open_file: OpenFile) -> OpenFile:
        """The same file, its bytes also going into the upload the first time it is read."""

        @contextmanager
        def opened(spans: Spans | None = None) -> Iterator[Iterator[bytes]]:
            with open_file(spans) as chunks:
                if self._fresh:
                    self._fresh = False
                    yield self._pass_on(chunks)
                else:
                    yield chunks

        return opened

    def _pass_on(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self._write(chunk)
            yield chunk

    def _write(self, chunk: bytes) -> None:
        if self.upload is None or self.error is not None:
            return
        try:
            self.upload.write(chunk)
        except DrBridgeError as error:
            self.error = error
