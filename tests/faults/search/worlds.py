"""Small worlds: what waits in the ledger when a search begins, and what it means at the other side."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from drbridge.adapters.outside import ConnectionsOutside, environment_connection
from drbridge.exchange import cutting
from drbridge.exchange.accept import accept, read
from drbridge.exchange.desk import Desk
from drbridge.exchange.requests import Requests
from drbridge.exchange.staging import Staging
from drbridge.exchange.take import take
from drbridge.ledger import queue
from drbridge.ledger.deliveries import lane_of
from drbridge.ports import Call
from drbridge.systems import DEFAULT_FILE, Flow, Systems, load
from tests.faults.search.far import Far, meanings
from tests.faults.search.rig import Book, Memory, Time
from tests.faults.search.worker import Place, Worker
from tests.unit.contracts.messages import good

SAMPLES = Path(__file__).parents[2] / "samples"
OUTCOME = SAMPLES / "event_outcome" / "EVENT_OUTCOME_20260714T210000Z_4711.csv"
CHANGES, STAGES, OUTCOMES = "dacs_derms_enrollment_sync", "derms_dacs_event_status", "derms_dacs_event_outcome"
OUTCOMES_SOURCE = "inbox://event_outcomes"
STATUS_OF = {"": "SCHEDULED", "X1IP": "IN PROGRESS", "F1CO": "COMPLETED", "F1CN": "CANCELED"}
STATUSES = {"S": "SCHEDULED", "P": "IN PROGRESS", "C": "COMPLETED"}


Arrival = Callable[[Desk], None]


@dataclass(frozen=True)
class Wanted:
    """What a row is to bring about at the other side.

    Attributes:
        meaning: as the other side remembers it.
        entity, order_at: whom it speaks of, and its place among all about the same.
    """

    meaning: str
    entity: str
    order_at: float


@dataclass(frozen=True)
class World:
    """A beginning.

    Attributes:
        arrives: writes down what waits.
        later: what arrives at any moment after that.
        jumps: the times that may pass at once, in seconds.
        answers: whether what is searched is the flow's answers; what they answer is delivered before.
        senders: how many share a file; it is cut in a share for each row then.
    """

    name: str
    policy: str
    flow: str
    arrives: Arrival
    later: Arrival | None = None
    rows: int = 500
    jumps: tuple[float, ...] = (91.0,)
    answers: bool = False
    senders: int = 1


@dataclass(frozen=True)
class Begun:
    """A world that is ready: the ledger's content, and what its parcels mean.

    Attributes:
        wanted: by the sha256 of what arrived, and row; a part of a message is a row of it.
    """

    world: World
    place: Place
    memory: Book
    image: bytes
    far: Far
    wanted: dict[tuple[str, int], Wanted]

    def learn(self) -> None:
        """What each waiting row asks for, and how far a stage has come when it has it."""
        place = self.place
        with place.desk.ledger.read() as tx:
            claims = queue.waiting(tx, place.lane)
        requests = Requests(place.desk, place.endpoint)
        for claim in claims:
            call = requests.build(claim)
            for row, meaning in zip(range(claim.first_row, claim.last_row + 1), meanings(call), strict=True):
                self.wanted[claim.sha256, row] = Wanted(meaning, claim.entity or "", claim.order_at)
                if requests.operation.asking is not None:
                    self.far.reaches[meaning] = (requests.question(claim).path, _status_reached(call))


@contextmanager
def begun(world: World) -> Iterator[Begun]:
    """Makes a world ready in memory; its files are gone at the end."""
    time = Time()
    memory = Memory(time)
    with TemporaryDirectory() as folder:
        yield begun_in(world, memory, time, Path(folder))
    memory.ledger.close()


def begun_in(world: World, memory: Book, time: Time, folder: Path) -> Begun:
    """Makes a world ready in an empty ledger."""
    desk = desk_of(world, memory, time, folder)
    world.arrives(desk)
    flow = desk.systems.flow(world.flow)
    place = _place(desk, flow, flow.deliver[0], time)
    if world.answers:
        Worker("before", 1).works(place, Far(True, {}))
        place = _place(desk, flow, flow.answer or "", time)
    image = memory.take()
    if world.later:
        world.later(desk)
    ready = Begun(world, place, memory, image, Far(world.policy == "resend", {}), {})
    ready.learn()
    return ready


def _place(desk: Desk, flow: Flow, endpoint: str, time: Time) -> Place:
    return Place(desk, flow, desk.systems.endpoints[endpoint], lane_of(flow.name, endpoint), time)


def desk_of(world: World, memory: Book, time: Time, folder: Path) -> Desk:
    staging = Staging((folder / "staging").as_uri())
    outside = ConnectionsOutside(environment_connection, inbox=staging.inbox)
    return Desk(systems_of(world), memory.ledger, staging, outside, clock=time)


def systems_of(world: World) -> Systems:
    """systems.toml as shipped, with the world's policy and chunks."""
    shipped = load(DEFAULT_FILE)
    flow = shipped.flow(world.flow)
    if not flow.message:
        flow = flow.model_copy(update={"source": OUTCOMES_SOURCE})
    name = (flow.answer if world.answers else None) or flow.deliver[0]
    changed = {"unknown": world.policy, "rows": world.rows, "senders": world.senders}
    endpoint = shipped.endpoints[name].model_copy(update=changed)
    others = {key: each for key, each in shipped.flows.items() if each.source != shipped.flow(world.flow).source}
    return shipped.model_copy(
        update={"endpoints": shipped.endpoints | {name: endpoint}, "flows": others | {flow.name: flow}}
    )


def _status_reached(call: Call) -> str:
    """How far a stage is once the request took effect: without an action it is created."""
    body: Any = call.json
    return STATUS_OF[body.get("action", "")]


def changes(*said: tuple[str, int, str]) -> Arrival:
    """Enrollment changes: number, hour at which it was made, subscription."""
    data = good("enrollment_change")

    def arrive(desk: Desk) -> None:
        for number, hour, subscription in said:
            about = {"subscriptionInfo": data["subscriptionInfo"] | {"subscriptionId": subscription}}
            when = {"syncRequestId": number, "changeDateTime": f"2026-07-14T{hour:02}:00:00Z"}
            accept(desk, [read("enrollment_change", data | when | about, "dacs")])

    return arrive


def stages(*said: tuple[str, int, str]) -> Arrival:
    """Event statuses: S, P or C, minute after noon, stage."""
    data = good("event_status")

    def arrive(desk: Desk) -> None:
        for letter, minute, stage in said:
            about = {"messageId": f"{stage}{letter}{minute}", "stageId": stage, "stageStatus": STATUSES[letter]}
            accept(desk, [read("event_status", data | about | {"sentAt": f"2026-07-14T12:{minute:02}:00Z"}, "derms")])

    return arrive


def outcomes(rows: int) -> Arrival:
    """A file of event outcomes, cut to so many rows."""

    def arrive(desk: Desk) -> None:
        content = b"".join(OUTCOME.read_bytes().splitlines(keepends=True)[: rows + 1])
        store = desk.outside.store(OUTCOMES_SOURCE)
        with store.upload(OUTCOME.name) as upload:
            upload.write(content)
            upload.complete(hashlib.sha256(content).hexdigest())
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(cutting, "ROWS_WORTH_A_SHARE", 1)
            taken = take(desk, OUTCOMES, OUTCOME.name)
        assert (taken.state, taken.accepted) == ("taken", rows), taken

    return arrive


ONE, OTHER = "20000000000001", "20000000000002"
