"""Relays in trouble: a store that forbids, a comparison that takes long, one of two stores down."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
from sqlalchemy import select, update

from drbridge.adapters.s3_upload import S3Upload
from drbridge.errors import Misconfigured, NotAllowed
from drbridge.exchange import lanes
from drbridge.exchange.desk import Desk
from drbridge.exchange.relay import relay
from drbridge.exchange.resume import due_flows
from drbridge.ledger import targets
from drbridge.ledger.database import clock
from drbridge.ledger.tables import leases, parcels
from drbridge.ports import FileStore, RestTarget
from drbridge.spans import Spans
from drbridge_sandbox.sandbox import Sandbox
from tests.flows.chain import NOW, run
from tests.flows.conftest import SAMPLES
from tests.flows.outsides import Unplugged

FLOW = "dacs_ouai_enrollment_sync"
SOURCE = "sftp://dacs_files/outgoing/enrollment"
STORE = "s3://ouai_objects/ouai/incoming/enrollment"
SAMPLE = SAMPLES / "enrollment_sync" / "ENROLL_SYNC_20260714T040000Z_0042.csv"


@dataclass(frozen=True)
class Altered:
    """The outside, one of its stores with some of its methods replaced."""

    desk: Desk
    url: str
    methods: dict[str, Callable[..., Any]]

    def store(self, url: str) -> FileStore:
        store = self.desk.outside.store(url)
        if url == self.url:
            for name, method in self.methods.items():
                setattr(store, name, method)
        return store

    def target(self, conn_id: str) -> RestTarget:
        return self.desk.outside.target(conn_id)


def altered(desk: Desk, url: str, **methods: Callable[..., Any]) -> Desk:
    return replace(desk, outside=Altered(desk, url, methods))


def parcel_states(desk: Desk) -> list[str]:
    with desk.ledger.read() as tx:
        return list(tx.execute(select(parcels.c.state).order_by(parcels.c.id)).scalars())


def states(desk: Desk) -> dict[str, str]:
    return {name: verdict.state for name, verdict in run(desk, FLOW).items()}


def forbid(*_: object, **__: object) -> Any:
    raise NotAllowed("The bucket does not let us write", fix="ask its owner")


class TestStoreThatForbids:
    """The task is red with the reason, nothing stays under way, and it goes on by itself once it is allowed."""

    @pytest.fixture(params=["begin", "write", "complete"])
    def forbidding(self, request: pytest.FixtureRequest, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
        if request.param == "begin":
            return altered(desk, STORE, upload=forbid)
        monkeypatch.setattr(S3Upload, request.param, forbid)
        return desk

    def test_is_told_and_leaves_nothing_under_way(self, forbidding: Desk, box: Sandbox) -> None:
        box.drop(SOURCE, SAMPLE.name, SAMPLE)
        with pytest.raises(NotAllowed):
            relay(forbidding, FLOW, SAMPLE.name, NOW)
        assert parcel_states(forbidding) == ["PENDING"]
        with forbidding.ledger.read() as tx:
            assert targets.health(tx, "ouai_objects").failures == 1
        assert FLOW not in [flow for flow, why in due_flows(forbidding) if "unfinished" in why]

    def test_gets_the_file_once_it_allows_it(
        self, forbidding: Desk, box: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        box.drop(SOURCE, SAMPLE.name, SAMPLE)
        assert states(forbidding) == {SAMPLE.name: "open"}
        monkeypatch.undo()
        allowed = replace(forbidding, outside=getattr(forbidding.outside, "desk", forbidding).outside)
        assert states(allowed) == {SAMPLE.name: "settled"}
        assert box.files(STORE) == {SAMPLE.name: SAMPLE.read_bytes()}


def test_a_store_whose_connection_is_missing_is_told_and_the_arrival_is_known(desk: Desk, box: Sandbox) -> None:
    elsewhere = desk.systems.stores["ouai_enrollment"].model_copy(update={"url": "s3://nobody/ouai/incoming"})
    stores = {**desk.systems.stores, elsewhere.name: elsewhere}
    lost = replace(desk, systems=desk.systems.model_copy(update={"stores": stores}), outside=Nowhere(desk))
    box.drop(SOURCE, SAMPLE.name, SAMPLE)
    with pytest.raises(Misconfigured):
        relay(lost, FLOW, SAMPLE.name, NOW)
    assert parcel_states(desk) == ["PENDING"]


@dataclass(frozen=True)
class Nowhere:
    """The outside, without a connection called `nobody`."""

    desk: Desk

    def store(self, url: str) -> FileStore:
        if "nobody" in url:
            raise Misconfigured("There is no connection nobody", fix="make one")
        return self.desk.outside.store(url)

    def target(self, conn_id: str) -> RestTarget:
        return self.desk.outside.target(conn_id)


def test_a_comparison_longer_than_a_lease_keeps_its_leases(
    desk: Desk, box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "KEEP_EVERY_SECONDS", 0.0)
    box.drop(SOURCE, SAMPLE.name, SAMPLE)
    box.drop(STORE, SAMPLE.name, SAMPLE)
    there = desk.outside.store(STORE)
    left: list[float] = []

    @contextmanager
    def open_slowly(name: str, spans: Spans | None = None) -> Iterator[Iterator[bytes]]:
        with there.open(name, spans) as chunks:
            yield slowly(chunks)

    def slowly(chunks: Iterator[bytes]) -> Iterator[bytes]:
        held = leases.c.expires_at > clock_of(desk)
        with desk.ledger.write() as tx:
            tx.execute(update(leases).where(held).values(expires_at=clock(tx) + 5))
        yield from chunks
        with desk.ledger.read() as tx:
            left.extend(tx.execute(select(leases.c.expires_at - clock(tx)).where(held)).scalars())

    assert states(altered(desk, STORE, open=open_slowly)) == {SAMPLE.name: "settled"}
    assert len(left) == 3, "the file's, that of its bytes, and that of the name it goes under"
    assert min(left) > 60


def clock_of(desk: Desk) -> Any:
    with desk.ledger.read() as tx:
        return clock(tx)


def test_a_completion_longer_than_a_lease_counts_when_nobody_took_the_lane(
    desk: Desk, box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    complete = S3Upload.complete

    def long(self: S3Upload, *arguments: Any) -> Any:
        with desk.ledger.write() as tx:
            tx.execute(update(leases).values(expires_at=clock(tx) - 10))
        return complete(self, *arguments)

    monkeypatch.setattr(S3Upload, "complete", long)
    box.drop(SOURCE, SAMPLE.name, SAMPLE)
    assert states(desk) == {SAMPLE.name: "settled"}
    assert parcel_states(desk) == ["ACKED"]


def test_one_store_down_keeps_nothing_from_the_other(desk: Desk, box: Sandbox) -> None:
    flow = desk.systems.flow(FLOW).model_copy(update={"deliver": ("ouai_enrollment", "ouai_outcome")})
    two = replace(desk, systems=desk.systems.model_copy(update={"flows": {**desk.systems.flows, FLOW: flow}}))
    box.drop(SOURCE, SAMPLE.name, SAMPLE)
    assert states(replace(two, outside=Unplugged(desk.outside, STORE))) == {SAMPLE.name: "open"}
    assert box.files(desk.systems.stores["ouai_outcome"].url) == {SAMPLE.name: SAMPLE.read_bytes()}
    assert states(two) == {SAMPLE.name: "settled"}
    assert box.files(STORE) == {SAMPLE.name: SAMPLE.read_bytes()}
