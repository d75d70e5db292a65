"""Deliveries that faults are tried on: how each begins, how it runs, and what it must leave behind.

The measure is a journey without a fault. Whatever is done to another one, it must end with the same files, the same
effects and settled books; and in between no file may bear a name with bytes that are not the whole of it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import select, update

from drbridge.adapters.names import HIDDEN_PREFIX
from drbridge.errors import RetryLater
from drbridge.exchange.accept import Post, accept
from drbridge.exchange.archive import archive
from drbridge.exchange.desk import Desk
from drbridge.exchange.recount import recount
from drbridge.exchange.send import answer, send
from drbridge.exchange.staging import Staging
from drbridge.exchange.work import Work
from drbridge.ledger import deliveries
from drbridge.ledger.states import UNFINISHED, DeliveryState
from drbridge.ledger.tables import deliveries as deliveries_table
from drbridge.ledger.tables import leases, parcels, sightings
from drbridge.ports import Outside
from drbridge.systems import DEFAULT_FILE, Systems, load
from drbridge_sandbox.sandbox import Sandbox
from tests.faults.line import Line
from tests.flows import chain
from tests.flows.cases import time_passes
from tests.flows.conftest import SAMPLES
from tests.flows.control_records import record_of
from tests.flows.more_rows import many_rows
from tests.flows.stages import COMPLETED, IN_PROGRESS, SCHEDULED, Said
from tests.ledgers import ledger_in

BY_ITSELF = Work()
MOST_RUNS = 8
Files = dict[str, dict[str, bytes]]


@dataclass(frozen=True)
class Left:
    """What a journey left behind.

    Attributes:
        files: by the address of their place and their name; hidden ones are nobody's business.
        effects: what the far sides took, by system, noun and key.
        times: how often each of them took effect.
    """

    files: Files
    effects: dict[tuple[str, str, str], object]
    times: dict[tuple[str, str, str], int]


@dataclass(frozen=True)
class Ended:
    """How one journey ended.

    Attributes:
        why: what is wrong; nothing when all is well.
    """

    lost: bool = False
    duplicated: bool = False
    torn: bool = False
    left_open: bool = False
    why: str = ""


def line_of(part: str, fault: str, ends: Collection[Ended], note: str) -> Line:
    """The line of the proof's table for so many journeys."""
    count = {name: sum(getattr(end, name) for end in ends) for name in ("lost", "duplicated", "torn", "left_open")}
    return Line(part, fault, len(ends), **count, note=note)


@dataclass(frozen=True)
class Journey:
    """One file, or a few messages, on the way to another system.

    Attributes:
        source: where the file lies; nothing for messages.
        files: what lies there at the start, the file itself and what belongs to it.
        target: where it goes, if to a folder or bucket.
        posts: the messages, in order.
        waiting: sync requests that DACS waits for the answer to.
    """

    name: str
    flow: str
    source: str = ""
    files: Mapping[str, bytes] = field(default_factory=dict)
    target: str = ""
    posts: Sequence[Post] = ()
    waiting: Sequence[str] = ()

    @property
    def places(self) -> list[str]:
        return [url for url in (self.source, self.target) if url]

    def begin(self, box: Sandbox) -> None:
        """The far sides as they are before: empty, but for what is to be delivered."""
        for system in box.services:
            box.far(system).reset()
        for url in self.places:
            place = box.place(url)
            for name in place.names():
                place.remove(name)
        for name, data in reversed(list(self.files.items())):
            box.drop(self.source, name, data)
        box.far("dacs").seed(self.waiting)

    def arrive(self, desk: Desk) -> None:
        """The inbox stores the messages."""
        if self.posts:
            accept(desk, self.posts)

    def run(self, desk: Desk) -> None:
        """One run of its flow by itself, as the schedule wakes it; what may be tried later is left for later."""
        with suppress(RetryLater):
            if self.source:
                chain.run(desk, self.flow, BY_ITSELF)
            else:
                send(desk, self.flow, BY_ITSELF)
                answer(desk, self.flow, BY_ITSELF)

    def judge(self, desk: Desk) -> None:
        """The verdict on the file once more: Airflow tries a task again that failed or was killed."""
        with suppress(RetryLater):
            for name in list(self.files)[:1]:
                archive(desk, self.flow, name)

    def left(self, box: Sandbox) -> Left:
        files = {url: _visible(box, url) for url in self.places}
        effects: dict[tuple[str, str, str], object] = {}
        times: dict[tuple[str, str, str], int] = {}
        for system in box.services:
            far = box.far(system)
            for noun in far.counts()["effects"]:
                for key, each in far.effects_of(noun).items():
                    effects[system, noun, key], times[system, noun, key] = each["value"], each["effects"]
        return Left(files, effects, times)


def _visible(box: Sandbox, url: str) -> dict[str, bytes]:
    return {name: data for name, data in box.files(url).items() if not name.startswith(HIDDEN_PREFIX)}


@dataclass
class Road:
    """One journey again and again, each time with a fault, always with a ledger and a staging of its own.

    Attributes:
        outside: how the far sides are reached, and the folder in which posted files lie.
        model: what it leaves behind when nothing happens.
    """

    journey: Journey
    box: Sandbox
    folder: Path
    outside: Callable[[Path], Outside]
    model: Left = field(init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.model = self.without_fault()

    def desk(self) -> Desk:
        """A desk at the start of the journey."""
        home = self.folder / "home"
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()
        self.journey.begin(self.box)
        return self.desk_in(home)

    def desk_in(self, home: Path) -> Desk:
        staging = Staging((home / "staging").as_uri())
        return Desk(site(), ledger_in(home), staging, self.outside(staging.inbox))

    def without_fault(self) -> Left:
        """The model; a busy machine may need more than one run for it."""
        desk = self.desk()
        self.journey.arrive(desk)
        for _ in range(MOST_RUNS):
            self.journey.run(desk)
            if not unsettled(desk):
                break
            time_passes(desk)
        left = self.journey.left(self.box)
        assert (open_ := unsettled(desk)) == "", f"{self.journey.name} does not end even without a fault: {open_}"
        assert left.effects or self.journey.target, f"{self.journey.name} has no effect"
        desk.ledger.close()
        return left

    def finish(self, desk: Desk) -> Ended:
        """Has the schedule wake the flow until it is done, time passing in between, and judges what came of it."""
        torn = self.torn()
        self.journey.judge(desk)
        for _ in range(MOST_RUNS):
            if not unsettled(desk):
                break
            free_the_lanes(desk)
            time_passes(desk)
            self.journey.run(desk)
            torn = torn or self.torn()
        left = self.journey.left(self.box)
        self.journey.run(desk)
        again = self.journey.left(self.box)
        wrong = (torn, unsettled(desk), *_differences(self.model, left), *_differences(left, again))
        why = [*filter(None, wrong), *(f"added up anew: {each.what}" for each in recount(desk, self.journey.flow)[1])]
        desk.ledger.close()
        return Ended(
            lost=any(key not in left.effects for key in self.model.effects) or self._is_missing(left),
            duplicated=any(count > self.model.times.get(key, 0) for key, count in again.times.items()),
            torn=bool(torn), left_open=bool(why), why="; ".join(why),
        )  # fmt: skip

    def _is_missing(self, left: Left) -> bool:
        """Whether something is not where it was to go."""
        target = self.journey.target
        return bool(target) and not left.files[target].keys() >= self.model.files[target].keys()

    def torn(self) -> str:
        """Names that bear other bytes than they should, at this moment."""
        whole: dict[str, dict[str, bytes]] = {url: {**self.model.files[url]} for url in self.model.files}
        if self.journey.source:
            whole[self.journey.source] |= self.journey.files
        found = ((url, name, data) for url in whole for name, data in _visible(self.box, url).items())
        return ", ".join(f"{url}/{name} is torn" for url, name, data in found if whole[url].get(name) != data)


def _differences(expected: Left, found: Left) -> list[str]:
    """What is not as expected, in words."""
    told = [f"files differ in {url}: {sorted(found.files[url])}" for url in expected.files
            if found.files[url] != expected.files[url]]  # fmt: skip
    told += [f"{key} differs" for key, value in expected.effects.items() if found.effects.get(key) != value]
    return told + [f"{key} took effect {count} times" for key, count in found.times.items()
                   if expected.times.get(key) != count]  # fmt: skip


def unsettled(desk: Desk) -> str:
    """What the ledger has not settled, or does not balance; nothing when all is done."""
    with desk.ledger.read() as tx:
        rows = tx.execute(select(deliveries_table.c.id, deliveries_table.c.state)).all()
        balances = deliveries.balances(tx, [row.id for row in rows])
        moving = tx.execute(select(parcels.c.state).where(parcels.c.state.in_(UNFINISHED))).scalars().all()
        named = tx.execute(select(sightings.c.renamed_to)).scalars().all()
    told = [] if rows else ["nothing has arrived"]
    told += [f"delivery {row.id} is {row.state}" for row in rows if row.state != DeliveryState.DONE]
    told += [f"rows do not add up: {each}" for each in balances.values() if not each.balances]
    told += [f"a parcel is {state}" for state in moving]
    return ", ".join(told + ["the source has its first name" for name in named if name is None])


def free_the_lanes(desk: Desk) -> None:
    """The leases of a worker that died run out."""
    with desk.ledger.write() as tx:
        tx.execute(update(leases).values(expires_at=0.0))


def site() -> Systems:
    """systems.toml as shipped, but files count as quiet at once."""
    shipped = load(DEFAULT_FILE)
    return shipped.model_copy(update={"site": shipped.site.model_copy(update={"quiet_seconds": 0.0})})


@contextmanager
def own_home(folder: Path) -> Iterator[None]:
    """Keeps everything local, the key of the seal among it, in this folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DRBRIDGE_HOME", str(folder / "home"))
        yield


def _grown(noun: str, name: str, rows: int) -> dict[str, bytes]:
    header, *sample = (SAMPLES / noun / name).read_bytes().splitlines(keepends=True)
    return {name: header + b"".join(many_rows(noun, sample, rows))}


def enrollments(rows: int) -> Journey:
    """The enrollment file, from a content server into a bucket."""
    files = _grown("enrollment_sync", "ENROLL_SYNC_20260714T040000Z_0042.csv", rows)
    return Journey(
        "enrollment file, SFTP -> S3", "dacs_ouai_enrollment_sync", "sftp://dacs_files/outgoing/enrollment", files,
        "s3://ouai_objects/ouai/incoming/enrollment",
    )  # fmt: skip


def credits(rows: int) -> Journey:
    """Settlement credits with their control record, from a content server to another."""
    ((name, data),) = _grown("settlement_credit", "CUST_SETTLEMENT_20260715T060000Z.csv", rows).items()
    files = {name: data, f"{name}.control.json": record_of(name, data)}
    return Journey(
        "settlement credits, SFTP -> SFTP", "dacs_ccs_settlement_credits", "sftp://dacs_files/outgoing/settlement",
        files, "sftp://cis_files/incoming/settlement",
    )  # fmt: skip


def scores(rows: int) -> Journey:
    """Device scores, from a content server to the DERMS as one file of a form."""
    files = _grown("device_score", "SDCSE_0042_00.csv", rows)
    return Journey(
        "device scores, SFTP -> REST", "dacs_derms_device_score", "sftp://dacs_files/outgoing/scores", files
    )  # fmt: skip


def acknowledgements(rows: int) -> Journey:
    """Enrollment acknowledgements, from a bucket to DACS, a call for each row."""
    files = _grown("enrollment_ack", "ENROLL_ACK_20260714T060000Z_1.csv", rows)
    waiting = [line.split(b",")[0].decode() for line in next(iter(files.values())).splitlines()[1:]]
    return Journey(
        "enrollment acks, S3 -> REST", "ouai_dacs_enrollment_ack", "s3://ouai_objects/ouai/outgoing/ack", files,
        waiting=waiting,
    )  # fmt: skip


def stages() -> Journey:
    """The stages of a DR event, from the inbox to DACS in order, and the answers to the DERMS."""
    said = [Said("9001", "1315", status, place, place) for place, status in
            enumerate((SCHEDULED, IN_PROGRESS, COMPLETED), 1)]  # fmt: skip
    return Journey("event stages, inbox -> REST", "derms_dacs_event_status", posts=[each.post() for each in said])
