"""Held deliveries: a person is asked once about each, and what is decided happens, with who and why."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from drbridge.errors import NotAllowed
from drbridge.exchange.desk import Desk
from drbridge.exchange.questions import delivery_in
from drbridge.exchange.release import decide, to_ask, waits
from drbridge.ledger.states import DeliveryState, ParcelState
from drbridge.ledger.tables import audit, deliveries, parcels
from drbridge_sandbox.sandbox import Sandbox
from tests.flows.cases import OUTCOME, OUTCOMES, TO_DACS, asked, books, states
from tests.flows.test_held import HEADER, TWELVE, refuse_all, with_endpoint

BOOK = f"{OUTCOME.name} > dacs_event_outcome"


@pytest.fixture
def held(desk: Desk, box: Sandbox) -> Desk:
    """DACS refused the beginning of an outcome file: of twelve rows, three."""
    one_by_one = with_endpoint(desk, "dacs_event_outcome", rows=1, in_flight=1)
    box.drop(OUTCOMES, OUTCOME.name, HEADER + TWELVE)
    refuse_all(box, one_by_one)
    return one_by_one


def test_a_person_is_asked_once_with_counts_and_codes(held: Desk) -> None:
    (one,) = to_ask(held, "release", "run 1", by_hand=False)
    assert (one.flow, one.name) == (TO_DACS, OUTCOME.name)
    assert "12 rows (3 rejected, 9 open)" in one.text
    assert "http_400 3 times" in one.text
    assert f"drbridge ledger show {delivery_in(one.key)}" in one.text
    assert to_ask(held, "release", "run 2", by_hand=False) == []
    assert to_ask(held, "release", "run 1", by_hand=False) == [one], "a run that is cleared asks the same"
    assert to_ask(held, "release", "run 3", by_hand=True) == [one]


def test_what_may_go_on_sends_what_was_refused_and_the_rest(held: Desk, box: Sandbox) -> None:
    (one,) = to_ask(held, "release", "run", by_hand=False)
    assert decide(held, one.key, "Let it go on", "maria", "the stage is known now") == "it goes on"
    assert states(held, TO_DACS) == {OUTCOME.name: "settled"}
    assert books(held)[BOOK].acked == 12
    with held.ledger.read() as tx:
        (act,) = tx.execute(select(audit)).all()
    assert (act.who, act.act, act.why) == ("maria", "release: Let it go on", "the stage is known now")
    assert act.subject == BOOK
    assert decide(held, one.key, "Refuse it", "kim", "") == "it does not wait any more: nothing was done"


def test_what_is_held_again_is_asked_again(held: Desk, box: Sandbox) -> None:
    (one,) = to_ask(held, "release", "run 1", by_hand=False)
    decide(held, one.key, "Let it go on", "maria", "")
    with held.ledger.write() as tx:
        tx.execute(update(deliveries).where(deliveries.c.id == delivery_in(one.key)).values(state=DeliveryState.HELD))
    (again,) = to_ask(held, "release", "run 2", by_hand=False)
    assert again.key == f"held {delivery_in(one.key)}.1"


def test_what_is_refused_ends_its_file_and_tells_its_sender(held: Desk, box: Sandbox) -> None:
    (one,) = to_ask(held, "release", "run", by_hand=False)
    calls = box.far("dacs").calls()
    assert "is refused" in decide(held, one.key, "Refuse it", "maria", "wrong event")
    states(held, TO_DACS)
    states(held, "derms_ouai_event_outcome")
    assert box.far("dacs").calls() == calls
    assert set(box.files(OUTCOMES)) == {f"Error-{OUTCOME.name}"}
    assert books(held)[BOOK].rejected == 12
    (ack,) = box.far("derms").effects_of("ack").values()
    assert str(ack["value"]).startswith("FAILURE")


def test_what_was_refused_by_a_person_may_be_sent_after_all(held: Desk, box: Sandbox) -> None:
    (one,) = to_ask(held, "release", "run", by_hand=False)
    decide(held, one.key, "Refuse it", "maria", "wrong event")
    states(held, TO_DACS)
    assert states(held, TO_DACS, asked(OUTCOME.name, "failed")) == {OUTCOME.name: "settled"}
    assert books(held)[BOOK].acked == 12


def test_what_is_left_stays_held(held: Desk) -> None:
    (one,) = to_ask(held, "release", "run", by_hand=False)
    assert decide(held, one.key, "Leave it", "maria", "") == "it stays as it is"
    assert waits(held, one.key)


def test_nothing_is_refused_while_the_other_side_may_have_some_of_it(held: Desk) -> None:
    (one,) = to_ask(held, "release", "run", by_hand=False)
    with held.ledger.write() as tx:
        mine = parcels.c.delivery_id == delivery_in(one.key)
        last = select(parcels.c.id).where(mine).order_by(parcels.c.id.desc()).limit(1).scalar_subquery()
        tx.execute(update(parcels).where(parcels.c.id == last).values(state=ParcelState.UNKNOWN))
    with pytest.raises(NotAllowed, match="cannot be refused"):
        decide(held, one.key, "Refuse it", "maria", "")
    assert waits(held, one.key)


def test_an_answer_that_waits_for_its_own_delivery_is_no_question(held: Desk) -> None:
    with held.ledger.write() as tx:
        (row,) = tx.execute(select(deliveries).where(deliveries.c.destination == "dacs_event_outcome")).all()
        values = dict(row._mapping) | {"destination": "derms_acks", "lane": f"{TO_DACS} > derms_acks"}
        del values["id"]
        tx.execute(deliveries.insert().values(values))
    assert [delivery_in(one.key) for one in to_ask(held, "release", "run", by_hand=False)] == [row.id]
