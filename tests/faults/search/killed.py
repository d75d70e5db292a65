"""A chain of files, killed wherever a transaction begins or ends, and before each call of a store or target."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import event, select, update

from drbridge.adapters.inbox_folder import InboxFolder
from drbridge.exchange.desk import Desk
from drbridge.exchange.staging import Staging
from drbridge.ledger import deliveries as book
from drbridge.ledger.states import DeliveryState
from drbridge.ledger.tables import deliveries, leases, parcels, targets
from drbridge.ports import Call, FileStore, Reply, RestTarget
from drbridge.systems import DEFAULT_FILE, Systems, load
from tests.faults.search.far import meanings
from tests.faults.search.invariants import Violation
from tests.flows.chain import run
from tests.ledgers import ledger_in

FLOWS = TO_DACS, TO_OUAI = "derms_dacs_event_outcome", "derms_ouai_event_outcome"
SOURCE, STORE = "inbox://event_outcomes", "inbox://ouai"
SAMPLE = Path(__file__).parents[2] / "samples" / "event_outcome" / "EVENT_OUTCOME_20260714T210000Z_4711.csv"
MOST_POINTS = 2_000


class Killed(BaseException):
    """The worker is no more: nothing of its code that comes after does anything."""


@dataclass
class Fuse:
    """Counts the points at which a worker can be killed, and kills it at one of them.

    Attributes:
        left: points to pass before that; None: none kills.
    """

    left: int | None = None
    passed: int = 0

    def point(self, *_: object) -> None:
        """A worker once killed gets past no other point either."""
        self.passed += 1
        if self.left is not None and self.passed > self.left:
            raise Killed


class _Watched:
    """A store or target, with a point before each of its calls."""

    def __init__(self, real: Any, fuse: Fuse) -> None:
        self._real, self._fuse = real, fuse

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._real, name)
        if not callable(found):
            return found

        def called(*given: Any, **named: Any) -> Any:
            self._fuse.point()
            return found(*given, **named)

        return called


@dataclass
class Services:
    """The outside: folders, and a REST side that knows a key it has had.

    Attributes:
        effects: how often each row took effect.
    """

    root: Path
    fuse: Fuse
    keys: set[str] = field(default_factory=set)
    effects: Counter[str] = field(default_factory=Counter)
    calls: int = 0

    def store(self, url: str) -> FileStore:
        watched: Any = _Watched(InboxFolder(self.root, url.removeprefix("inbox://")), self.fuse)
        return watched

    def target(self, conn_id: str) -> RestTarget:
        return self

    async def call(self, call: Call) -> Reply:
        """The points are before it acts, and before its answer is heard."""
        self.fuse.point()
        self.calls += 1
        if call.key not in self.keys:
            self.keys.add(call.key)
            self.effects.update(meanings(call))
        self.fuse.point()
        return Reply(200, {}, b"", 0.0)

    async def close(self) -> None:
        pass

    def file(self, url: str, name: str) -> Path:
        return self.root / url.removeprefix("inbox://") / name


def systems() -> Systems:
    """systems.toml as shipped, with folders for the places of one file and small chunks."""
    shipped = load(DEFAULT_FILE)
    flows = {name: shipped.flow(name).model_copy(update={"source": SOURCE, "answer": None}) for name in FLOWS}
    endpoint = shipped.endpoints["dacs_event_outcome"].model_copy(update={"rows": 3})
    store = shipped.stores["ouai_outcome"].model_copy(update={"url": STORE})
    return shipped.model_copy(
        update={
            "site": shipped.site.model_copy(update={"quiet_seconds": 0.0}), "flows": flows,
            "endpoints": {endpoint.name: endpoint}, "stores": {store.name: store},
        }
    )  # fmt: skip


class Chain:
    """Two flows that share a file, one to a REST side and one to a store."""

    def __init__(self, folder: Path, fuse: Fuse) -> None:
        self.fuse, self.outside = fuse, Services(folder / "places", fuse)
        ledger = ledger_in(folder)
        staging = Staging((folder / "staging").as_uri())
        self.desk = Desk(systems(), ledger, staging, self.outside)
        for name in ("begin", "commit"):
            event.listen(ledger.engine, name, fuse.point)
        self.source = self.outside.file(SOURCE, SAMPLE.name)
        self.source.parent.mkdir(parents=True)
        self.source.write_bytes(SAMPLE.read_bytes())

    def runs(self) -> None:
        """Both flows, by one worker after the other."""
        for flow in FLOWS:
            run(replace(self.desk, worker=f"worker {flow} {self.fuse.passed}"), flow)

    def is_over(self) -> None:
        """The worker is dead: its connections end, and in time its leases."""
        self.fuse.left = None
        self.desk.ledger.engine.dispose()
        with self.desk.ledger.write() as tx:
            tx.execute(update(leases).values(expires_at=0.0))
            tx.execute(update(targets).values(open_until=0.0, not_before=0.0))
            tx.execute(update(parcels).values(next_at=0.0))

    def check(self, point: int) -> None:
        """Everything is where it belongs, once; another run makes no call.

        Raises:
            Violation: it is not.
        """
        for name, is_broken in self._broken().items():
            if is_broken:
                raise Violation(name, f"after a kill at point {point}")
        calls = self.outside.calls
        self.runs()
        if self.outside.calls != calls:
            raise Violation("I10 another run makes no call", f"after a kill at point {point}")

    def check_source(self, point: int) -> None:
        """Whoever finds the source renamed may rely on it that nothing of the file has still to go."""
        if not self.source.exists() and (
            len(self._states()) < len(FLOWS) or set(self._states()) != {DeliveryState.DONE}
        ):
            raise Violation("I7 done <=> all parcels terminal", f"the source was renamed too early, point {point}")

    def _states(self) -> list[str]:
        with self.desk.ledger.read() as tx:
            return list(tx.execute(select(deliveries.c.state)).scalars())

    def _broken(self) -> dict[str, bool]:
        with self.desk.ledger.read() as tx:
            ids = tx.execute(select(deliveries.c.id)).scalars().all()
            balances = book.balances(tx, ids).values()
        there, rows = self.outside.file(STORE, SAMPLE.name), len(SAMPLE.read_bytes().splitlines()) - 1
        is_whole = there.exists() and _digest(there) == _digest(SAMPLE)
        effects = self.outside.effects
        return {
            "I1 accounting balances": not all(each.balances for each in balances),
            "I2 ACKED is there": not is_whole or len(effects) != sum(each.acked for each in balances) - rows,
            "I3 effects per key <= 1": any(count > 1 for count in effects.values()),
            "I9 everything ends": self._states() != [DeliveryState.DONE] * len(FLOWS) or self.source.exists(),
        }


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@contextmanager
def chain(fuse: Fuse) -> Iterator[Chain]:
    with TemporaryDirectory() as folder:
        made = Chain(Path(folder), fuse)
        fuse.passed = 0
        yield made
        made.desk.ledger.close()


def sweep(points: Iterable[int] = range(MOST_POINTS)) -> int:
    """Kills the chain at each of these points, and lets a clean one finish each time; returns how many times.

    Points behind the chain's end are left out.

    Raises:
        Violation: at the first point after which something is not whole.
    """
    killed = 0
    for point in points:
        with chain(Fuse(left=point)) as tried:
            try:
                tried.runs()
            except Killed:
                tried.is_over()
            else:
                break
            tried.check_source(point)
            tried.runs()
            tried.check(point)
        killed += 1
    return killed
