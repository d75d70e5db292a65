"""Publishing one object: of two who try, one wins and the other compares, also where the store knows no conditions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from drbridge.adapters.s3 import S3Store
from drbridge.exchange.desk import Desk
from drbridge.exchange.relay import relay
from drbridge.exchange.work import Work
from drbridge.ledger.leases import Fenced
from drbridge_sandbox.sandbox import Sandbox
from tests.faults import plain_store
from tests.faults.plain_store import Kind, PlainStore
from tests.faults.ways import RELAYED, arrived, connected, parcel_states, states, time_passes
from tests.flows.chain import NOW
from tests.flows.conftest import connection_of
from tests.flows.outsides import Unplugged


@pytest.fixture(params=["ignores", "refuses"])
def plain(request: pytest.FixtureRequest, box: Sandbox) -> Iterator[PlainStore]:
    """OUAI's object storage, of a kind without conditional writes."""
    kind: Kind = request.param
    with plain_store.serving(connection_of(box, "ouai_objects"), kind) as store:
        yield store


@pytest.fixture
def plain_desk(desk: Desk, box: Sandbox, plain: PlainStore) -> Desk:
    return connected(desk, box, ouai_objects=plain.connection)


def test_a_store_without_conditional_writes_is_found_out(box: Sandbox, plain: PlainStore) -> None:
    assert not S3Store(plain.connection, "ouai", "incoming/enrollment").honours_conditions()
    assert S3Store(connection_of(box, "ouai_objects"), "ouai", "incoming/enrollment").honours_conditions()


def test_a_file_goes_once_and_a_correction_after_it_there_too(
    plain_desk: Desk, box: Sandbox, plain: PlainStore
) -> None:
    for data in (RELAYED.data(3), RELAYED.later(RELAYED.data(3))):
        box.drop(RELAYED.url, RELAYED.name, data)
        assert states(plain_desk, RELAYED) == {RELAYED.name: "settled"}
        assert arrived(box, RELAYED) == {RELAYED.name: data}
    assert len(plain.dropped) == 2


def relay_while_held_up(desk: Desk, plain: PlainStore, names: tuple[str, str], free_leases: bool = False) -> list[str]:
    """Relays a file; a second worker relays another while the first is held up right before its write.

    Returns what came of the second and of the first.
    """
    first, second = names
    other = replace(desk, worker="another worker")
    came: list[str] = []

    def meanwhile(_method: str, path: str) -> None:
        plain.before_write = lambda method, path: None
        if free_leases:
            time_passes(desk)
        came.extend(each.state for each in relay(other, RELAYED.flow, second, NOW))

    plain.before_write = meanwhile
    came.extend(each.state for each in relay(desk, RELAYED.flow, first, NOW))
    return came


def test_of_two_workers_with_one_file_one_publishes_and_the_other_finds_it_busy(
    plain_desk: Desk, box: Sandbox, plain: PlainStore
) -> None:
    box.drop(RELAYED.url, RELAYED.name, RELAYED.data(3))
    assert relay_while_held_up(plain_desk, plain, (RELAYED.name, RELAYED.name)) == ["busy", "sent"]
    assert len(plain.dropped) == 1
    assert arrived(box, RELAYED) == {RELAYED.name: RELAYED.data(3)}


def test_a_worker_held_up_past_its_leases_and_the_one_after_it_leave_one_whole_object(
    plain_desk: Desk, box: Sandbox, plain: PlainStore
) -> None:
    box.drop(RELAYED.url, RELAYED.name, RELAYED.data(3))
    with pytest.raises(Fenced):
        relay_while_held_up(plain_desk, plain, (RELAYED.name, RELAYED.name), free_leases=True)
    assert arrived(box, RELAYED) == {RELAYED.name: RELAYED.data(3)}
    assert parcel_states(plain_desk) == {"ACKED": 1}


def test_two_files_that_want_one_object_name_do_not_overwrite_each_other(
    plain_desk: Desk, box: Sandbox, plain: PlainStore
) -> None:
    """The bytes of a file that was moved aside go under the name they came by first, which is another file's now."""
    aside, data = RELAYED.name.replace("0042", "0043"), RELAYED.data(3)
    box.drop(RELAYED.url, RELAYED.name, data)
    assert states(replace(plain_desk, outside=Unplugged(plain_desk.outside, RELAYED.arrived)), RELAYED, Work()) == {
        RELAYED.name: "open"
    }
    box.drop(RELAYED.url, aside, data)
    box.drop(RELAYED.url, RELAYED.name, RELAYED.later(data))
    time_passes(plain_desk)
    assert relay_while_held_up(plain_desk, plain, (aside, RELAYED.name)) == ["busy", "sent"]
    assert arrived(box, RELAYED) == {RELAYED.name: data}
    assert relay(plain_desk, RELAYED.flow, RELAYED.name, NOW)[0].state == "sent"
