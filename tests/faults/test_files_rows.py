"""Bad rows, empty days, and days that come late or in the wrong order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from sqlalchemy import select

from drbridge.exchange.accept import accept, read
from drbridge.exchange.desk import Desk
from drbridge.exchange.waiting import MOST_FILES, look
from drbridge.exchange.work import Work
from drbridge.ledger.tables import attempts, deliveries, intakes, parcels
from drbridge_sandbox.sandbox import Sandbox
from tests.faults.ways import TAKEN, Way, arrived, balances, intakes_of, states, time_passes
from tests.flows.chain import NOW, run
from tests.flows.conftest import SAMPLES
from tests.flows.test_trouble import OUTCOME, OUTCOME_FLOW, OUTCOMES, book, many, with_endpoint
from tests.unit.contracts.messages import sample

RESERVE_FLOW, RESERVE = "derms_dacs_device_reservation", "RESERVE_1.csv"
DEVICES = (SAMPLES / "device_reservation" / "good.csv").read_bytes()


def verdicts(desk: Desk, flow: str = OUTCOME_FLOW, work: Work = NOW) -> dict[str, str]:
    return {name: verdict.state for name, verdict in run(desk, flow, work).items()}


def nic(row: bytes) -> str:
    return row.split(b",")[5].decode()


def test_of_a_thousand_records_one_poisoned_the_other_999_go(desk: Desk, box: Sandbox) -> None:
    data, rows = many(OUTCOME, "event_outcome", 1_000)
    box.drop(OUTCOMES, OUTCOME.name, data)
    box.far("dacs").fault("reject_keys", keys=[nic(rows[616])])
    verdict = run(desk, OUTCOME_FLOW)[OUTCOME.name]
    assert verdict.state == "settled"
    counts = verdict.counts["dacs_event_outcome"]
    assert (counts["rows"], counts["acked"], counts["rejected"]) == (1_000, 999, 1)
    effects = box.far("dacs").effects_of("event_outcome")
    assert len(effects) == 999
    assert {each["effects"] for each in effects.values()} == {1}


def test_a_file_of_which_every_row_is_refused_is_held_after_three_chunks(desk: Desk, box: Sandbox) -> None:
    chunks = with_endpoint(desk, "dacs_event_outcome", rows=5, in_flight=1)
    data, rows = many(OUTCOME, "event_outcome", 200)
    box.drop(OUTCOMES, OUTCOME.name, data)
    box.far("dacs").fault("reject_keys", keys=[nic(row) for row in rows])
    assert verdicts(chunks) == {OUTCOME.name: "needs_person"}
    balance = book(desk, OUTCOME_FLOW)[2]
    assert 15 <= balance.rejected <= 20
    assert balance.open == 200 - balance.rejected
    calls = box.far("dacs").calls()
    assert verdicts(chunks) == {OUTCOME.name: "needs_person"}
    assert box.far("dacs").calls() == calls


def test_rows_that_contradict_each_other_are_set_aside_with_both_lines_and_the_rest_goes(
    desk: Desk, box: Sandbox
) -> None:
    data = TAKEN.data(100)
    contradiction = data.splitlines(keepends=True)[1].replace(b"0.874000", b"0.1")
    box.drop(TAKEN.url, TAKEN.name, data + contradiction)
    assert states(desk, TAKEN) == {TAKEN.name: "settled"}
    assert len(arrived(box, TAKEN)) == 99
    rejects = box.files(f"{TAKEN.url}/rejects")[f"{TAKEN.name}.rejects.csv"].decode()
    assert "line 102" in rejects
    assert "line 2" in rejects
    assert balances(desk)


def test_days_without_a_row_are_settled_each_for_itself_without_a_call(desk: Desk, box: Sandbox, way: Way) -> None:
    header = way.data(1).splitlines(keepends=True)[0]
    days = [way.name.replace("0042", f"004{day}") for day in range(3)]
    for name in days:
        box.drop(way.url, name, header)
    assert states(desk, way) == dict.fromkeys(days, "settled")
    assert intakes_of(desk) == 3, "an empty day is not the empty day before it"
    assert box.far("derms").calls("deviceScore") == 0
    assert set(box.files(way.url)) == {f"Sent-{name}" for name in days}
    assert states(desk, way) == {}


def of_day(day: datetime, number: int) -> tuple[str, bytes]:
    rows = many(OUTCOME, "event_outcome", 2)[0].replace(b"9001", f"{day:%m%d}{number}".encode())
    return f"EVENT_OUTCOME_{day:%Y%m%dT%H%M%SZ}_{number}.csv", rows


def test_the_backlog_of_three_days_goes_oldest_event_first(desk: Desk, box: Sandbox) -> None:
    box.far("dacs").down()
    first = datetime(2026, 7, 11, tzinfo=UTC)
    arrivals = [of_day(first + timedelta(days=number), number) for number in range(4)]
    for name, data in reversed(arrivals):
        box.drop(OUTCOMES, name, data)
        verdicts(desk, work=Work())
    box.far("dacs").up()
    time_passes(desk)
    assert verdicts(desk) == {name: "settled" for name, _ in arrivals}
    went = (
        select(intakes.c.name)
        .join_from(attempts, parcels)
        .join(deliveries)
        .join(intakes)
        .where(deliveries.c.flow == OUTCOME_FLOW, deliveries.c.destination == "dacs_event_outcome")
        .where(attempts.c.outcome == "ACKED")
        .order_by(attempts.c.at, attempts.c.id)
    )
    with desk.ledger.read() as tx:
        assert list(tx.execute(went).scalars()) == [name for name, _ in arrivals]


def test_a_run_takes_no_more_of_a_backlog_than_it_can_hold_the_oldest_first(desk: Desk, box: Sandbox) -> None:
    first = datetime(2026, 7, 11, tzinfo=UTC)
    names = [f"EVENT_OUTCOME_{first + timedelta(minutes=each):%Y%m%dT%H%M%SZ}_{each}.csv" for each in range(230)]
    for name in reversed(names):
        box.drop(OUTCOMES, name, OUTCOME)
    seen = look(desk, OUTCOME_FLOW, NOW)
    assert seen.ready == tuple(names[:MOST_FILES])
    assert seen.left == 30


def post_reservation(desk: Desk) -> None:
    """Message and file, as the inbox keeps them."""
    store = desk.outside.store("inbox://device_reservations")
    with store.upload(RESERVE) as upload:
        upload.write(DEVICES)
        upload.complete(sha256(DEVICES).hexdigest())
    message = sample("device_reservation_message")
    message["file"] |= {"name": RESERVE, "sha256": sha256(DEVICES).hexdigest()}
    accept(desk, [read("device_reservation_message", message, "derms", RESERVE)])


def test_an_outcome_that_comes_before_its_reservation_and_stage_goes_and_they_go_after_it(
    desk: Desk, box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drbridge.exchange.send.LINGER_SECONDS", 0.0)
    box.drop(OUTCOMES, OUTCOME.name, OUTCOME)
    assert verdicts(desk) == {OUTCOME.name: "settled"}
    post_reservation(desk)
    assert verdicts(desk, RESERVE_FLOW) == {RESERVE: "open"}, "its stage is not there yet"
    accept(desk, [read("event_status", sample("event_status"), "derms")])
    run(desk, "derms_dacs_event_status")
    time_passes(desk)
    assert verdicts(desk, RESERVE_FLOW) == {RESERVE: "settled"}
    for noun in ("event_outcome", "device_reservation"):
        assert {each["effects"] for each in box.far("dacs").effects_of(noun).values()} == {1}
    assert balances(desk)
