"""Sources in trouble: a file that goes away or is replaced, one that cannot be read, many that wait for a person."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select, update

from drbridge.errors import NotAllowed, Unstable
from drbridge.exchange import waiting
from drbridge.exchange.desk import Desk
from drbridge.exchange.relay import relay
from drbridge.exchange.take import take
from drbridge.exchange.waiting import look
from drbridge.exchange.work import Work
from drbridge.ledger import deliveries
from drbridge.ledger.database import clock
from drbridge.ledger.tables import deliveries as deliveries_table
from drbridge.ledger.tables import looks, parcels
from drbridge.ports import Entry
from drbridge_sandbox.sandbox import Sandbox
from tests.flows.chain import NOW, run
from tests.flows.conftest import SAMPLES
from tests.flows.outsides import Unplugged
from tests.flows.test_relays import altered, parcel_states

RELAY = "dacs_ouai_enrollment_sync"
ENROLLMENTS = "sftp://dacs_files/outgoing/enrollment"
ENROLLMENT = SAMPLES / "enrollment_sync" / "ENROLL_SYNC_20260714T040000Z_0042.csv"
OTHER = b"".join(ENROLLMENT.read_bytes().splitlines(keepends=True)[:-1])
ARRIVED = "s3://ouai_objects/ouai/incoming/enrollment"
SEND = "dacs_derms_device_score"
SCORES = "sftp://dacs_files/outgoing/scores"
SCORE = SAMPLES / "device_score" / "SDCSE_0042_00.csv"
ACKS = "s3://ouai_objects/ouai/outgoing/ack"
ACK_FLOW = "ouai_dacs_enrollment_ack"
TOO_LONG = f"ENROLL_ACK_20260701T060000Z_{'x' * 300}.csv"
ACK = SAMPLES / "enrollment_ack" / "ENROLL_ACK_20260714T060000Z_1.csv"


def states(desk: Desk, flow: str = RELAY, work: Work = NOW) -> dict[str, str]:
    return {name: verdict.state for name, verdict in run(desk, flow, work).items()}


def codes(desk: Desk) -> list[str | None]:
    with desk.ledger.read() as tx:
        return list(tx.execute(select(parcels.c.code).order_by(parcels.c.id)).scalars())


def patient(desk: Desk) -> Desk:
    """The desk with a quiet time that does not pass by itself."""
    site = desk.systems.site.model_copy(update={"quiet_seconds": 3600.0})
    return replace(desk, systems=desk.systems.model_copy(update={"site": site}))


def blind(desk: Desk) -> Desk:
    """The desk, with a source whose listing is empty."""
    return altered(desk, ENROLLMENTS, list=lambda: [])


def an_hour_passes(desk: Desk) -> None:
    with desk.ledger.write() as tx:
        tx.execute(update(looks).values(since_at=clock(tx) - 3601))


def open_relay(desk: Desk, box: Sandbox, name: str = ENROLLMENT.name) -> None:
    """A file that is known, and could not be relayed because the store is down."""
    box.drop(ENROLLMENTS, name, ENROLLMENT)
    assert states(replace(desk, outside=Unplugged(desk.outside, ARRIVED)), work=Work()) == {name: "open"}


def test_a_file_that_went_away_before_it_was_relayed_waits_for_a_person_who_is_told(desk: Desk, box: Sandbox) -> None:
    open_relay(desk, box)
    box.place(ENROLLMENTS).remove(ENROLLMENT.name)
    for _ in range(2):
        assert states(desk) == {ENROLLMENT.name: "needs_person"}
        assert parcel_states(desk) == ["PARKED"]
        assert codes(desk) == ["source_gone"]
    assert "lay the file back under this name" in look(desk, RELAY, NOW).gone[0]


@pytest.mark.parametrize("name", [ENROLLMENT.name, "ENROLL_SYNC_20260714T050000Z_0042.csv"])
def test_a_file_that_is_laid_back_goes_by_itself(desk: Desk, box: Sandbox, name: str) -> None:
    open_relay(desk, box)
    box.place(ENROLLMENTS).remove(ENROLLMENT.name)
    states(desk)
    box.drop(ENROLLMENTS, name, ENROLLMENT)
    assert states(desk, work=Work())[name] == "settled"
    assert list(box.files(ARRIVED).values()) == [ENROLLMENT.read_bytes()]
    assert states(desk) == {}


def test_a_file_that_only_a_listing_missed_goes_by_itself(desk: Desk, box: Sandbox) -> None:
    open_relay(desk, box)
    assert look(blind(desk), RELAY, NOW).ready == (ENROLLMENT.name,)
    assert parcel_states(desk) == ["PARKED"]
    assert states(desk, work=Work()) == {ENROLLMENT.name: "settled"}


def test_one_look_that_misses_a_file_parks_nothing(desk: Desk, box: Sandbox) -> None:
    open_relay(desk, box)
    calm = patient(desk)
    assert look(blind(calm), RELAY, NOW).ready == ()
    assert look(blind(calm), RELAY, NOW).ready == ()
    an_hour_passes(desk)
    assert look(calm, RELAY, NOW).ready == (ENROLLMENT.name,)
    assert look(blind(calm), RELAY, NOW).ready == (), "it was seen in between"
    assert parcel_states(desk) == ["UNKNOWN"]
    an_hour_passes(desk)
    assert look(blind(calm), RELAY, NOW).ready == (ENROLLMENT.name,)
    assert parcel_states(desk) == ["PARKED"]


def test_a_file_replaced_before_it_was_relayed_is_not_forgotten(desk: Desk, box: Sandbox) -> None:
    open_relay(desk, box)
    box.drop(ENROLLMENTS, ENROLLMENT.name, OTHER)
    assert states(desk) == {ENROLLMENT.name: "settled"}, "the other file, which is there now"
    assert box.files(ARRIVED) == {ENROLLMENT.name: OTHER}
    assert states(desk) == {ENROLLMENT.name: "needs_person"}
    assert parcel_states(desk) == ["PARKED", "ACKED"]


def test_a_file_replaced_by_one_that_waits_too_is_set_aside(desk: Desk, box: Sandbox) -> None:
    open_relay(desk, box)
    down = replace(desk, outside=Unplugged(desk.outside, ARRIVED))
    box.drop(ENROLLMENTS, ENROLLMENT.name, OTHER)
    for _ in range(2):
        assert states(down, work=Work()) == {ENROLLMENT.name: "open"}
    assert parcel_states(desk) == ["PARKED", "UNKNOWN"]


def test_a_file_that_another_worker_is_relaying_is_not_taken_from_it(desk: Desk, box: Sandbox) -> None:
    open_relay(desk, box)
    other = replace(desk, worker="another")
    seen: list[tuple[str, ...]] = []

    def look_meanwhile(*_: object) -> Any:
        seen.append(look(blind(other), RELAY, NOW).ready)
        raise NotAllowed("not now")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("drbridge.adapters.s3_upload.S3Upload.complete", look_meanwhile)
        with pytest.raises(NotAllowed):
            relay(desk, RELAY, ENROLLMENT.name, NOW)
    assert seen
    assert parcel_states(desk) == ["PENDING"]


@pytest.mark.parametrize(("error", "told"), [(NotAllowed("permission denied"), True), (Unstable("it is gone"), False)])
def test_one_file_that_cannot_be_read_stops_no_other(desk: Desk, box: Sandbox, error: Exception, told: bool) -> None:
    box.drop(SCORES, SCORE.name, SCORE)
    box.drop(SCORES, "SDCSE_0001_00.csv", SCORE, mtime=1.0)
    ends_hash = desk.outside.store(SCORES).ends_hash

    def refused(name: str, size: int) -> str:
        if name == "SDCSE_0001_00.csv":
            raise error
        return ends_hash(name, size)

    seen = look(altered(desk, SCORES, ends_hash=refused), SEND, NOW)
    assert seen.ready == (SCORE.name,)
    assert [reason.partition(":")[0] for reason in seen.unreadable] == ["SDCSE_0001_00.csv"] * told


def beside(desk: Desk, names: list[str]) -> Desk:
    """The desk, with objects of these names listed in the bucket of acknowledgements."""
    real = desk.outside.store(ACKS).list
    return altered(desk, ACKS, list=lambda: [*real(), *(Entry(name, 1, 1.0) for name in names)])


def test_a_name_too_long_for_a_file_stops_no_other(desk: Desk, box: Sandbox) -> None:
    box.drop(ACKS, ACK.name, ACK)
    seen = look(beside(desk, [TOO_LONG]), ACK_FLOW, NOW)
    assert seen.ready == (ACK.name,)
    assert seen.unreadable[0].startswith(TOO_LONG)


def test_many_files_that_cannot_be_read_keep_no_new_file_waiting(
    desk: Desk, box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "MOST_FILES", 2)
    box.drop(ACKS, ACK.name, ACK)
    seen = look(beside(desk, [TOO_LONG.replace("2026", str(year)) for year in range(2020, 2024)]), ACK_FLOW, NOW)
    assert seen.ready == (ACK.name,)
    assert seen.left == 0


@pytest.mark.parametrize("why", ["held", "parked"])
def test_files_that_wait_for_a_person_come_after_those_that_move(
    desk: Desk, box: Sandbox, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    monkeypatch.setattr(waiting, "MOST_FILES", 2)
    for number in range(1, 4):
        data = SCORE.read_bytes().replace(b"2026-07-13T", f"2026-07-0{number}T".encode())
        box.drop(SCORES, f"SDCSE_000{number}_00.csv", data, mtime=float(number))
        take(desk, SEND, f"SDCSE_000{number}_00.csv")
    with desk.ledger.write() as tx:
        if why == "parked":
            tx.execute(update(parcels).values(state="PARKED", code="in_doubt"))
        else:
            for delivery_id in tx.execute(select(deliveries_table.c.id)).scalars().all():
                deliveries.hold(tx, delivery_id, "refused")
    box.drop(SCORES, SCORE.name, SCORE)
    seen = look(desk, SEND, Work())
    assert seen.ready == (SCORE.name, "SDCSE_0001_00.csv")
    assert seen.left == 2
    assert look(desk, SEND, Work(file="SDCSE_0003_00.csv", by_hand=True)).ready == ("SDCSE_0003_00.csv",)
