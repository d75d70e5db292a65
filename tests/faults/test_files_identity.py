"""What a file is: its content. Neither its name nor its size nor its time says that it came before."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from drbridge.exchange.desk import Desk
from drbridge.exchange.waiting import look
from drbridge.exchange.work import Work
from drbridge_sandbox.sandbox import Sandbox
from tests.faults.ways import TAKEN, Way, arrived, balances, intakes_of, states, time_passes
from tests.flows.chain import NOW
from tests.flows.outsides import Unplugged

AT = 1_700_000_000.0
LAST_SECOND_OF_SFTP = float(2**32 - 1)


def calls(box: Sandbox, way: Way) -> int:
    """Requests that the other side heard; of a bucket, its objects."""
    return len(box.files(way.arrived)) if way.arrived else box.far("derms").calls("deviceScore")


def has_come(box: Sandbox, way: Way, data: bytes) -> bool:
    """Whether the object of this content is there, or every score of it."""
    if way.arrived:
        return data in arrived(box, way).values()
    moments = {row.split(b",")[6].decode() for row in data.splitlines()[1:]}
    return all(sum(key.endswith(f"/{at}") for key in arrived(box, way)) == data.count(b"\n") - 1 for at in moments)


def test_the_same_name_with_other_content_is_another_file(desk: Desk, box: Sandbox, way: Way) -> None:
    for data in (way.data(5), way.later(way.data(5))):
        box.drop(way.url, way.name, data)
        assert states(desk, way) == {way.name: "settled"}
        assert has_come(box, way, data)
    assert intakes_of(desk) == 2
    assert set(box.files(way.url)) == {f"Sent-{way.name}", f"Sent-{way.name}.2"}


def test_another_name_with_the_same_content_makes_no_call_and_is_put_away(desk: Desk, box: Sandbox, way: Way) -> None:
    other = way.name.replace("0042", "0099")
    for name in (way.name, other):
        box.drop(way.url, name, way.data(5))
        assert states(desk, way) == {name: "settled"}
    assert (calls(box, way), intakes_of(desk)) == (1, 1)
    assert set(box.files(way.url)) == {f"Sent-{way.name}", f"Sent-{other}"}


@pytest.mark.parametrize("first", ["settled", "open"])
def test_the_same_name_size_and_time_with_other_content_is_another_file(
    desk: Desk, box: Sandbox, way: Way, first: str
) -> None:
    data = way.data(5)
    box.drop(way.url, way.name, data, mtime=AT)
    if first == "open":
        box.far("derms").down()
        down = replace(desk, outside=Unplugged(desk.outside, way.arrived))
        assert states(down, way, Work()) == {way.name: "open"}
        box.far("derms").up()
    else:
        assert states(desk, way) == {way.name: "settled"}
    box.drop(way.url, way.name, way.later(data), mtime=AT)
    time_passes(desk)
    states(desk, way)
    assert intakes_of(desk) == 2
    assert has_come(box, way, way.later(data))
    assert balances(desk)


@pytest.mark.parametrize("mtime", [0.0, 1.0, AT, 4_102_444_800.0, LAST_SECOND_OF_SFTP])
def test_a_file_of_any_time_goes_once(desk: Desk, box: Sandbox, mtime: float) -> None:
    box.drop(TAKEN.url, TAKEN.name, TAKEN.data(2), mtime=mtime)
    assert states(desk, TAKEN) == {TAKEN.name: "settled"}
    assert look(desk, TAKEN.flow, NOW).ready == ()
    assert calls(box, TAKEN) == 1


def test_files_older_than_one_that_is_settled_are_not_passed_over(desk: Desk, box: Sandbox, way: Way) -> None:
    """Not even those that are laid down in the same second as it, or with times of years before."""
    box.drop(way.url, way.name, way.data(2), mtime=AT)
    assert states(desk, way) == {way.name: "settled"}
    late = {way.name.replace("0042", "0050"): AT, way.name.replace("0042", "0051"): 1.0}
    for number, (name, mtime) in enumerate(late.items(), 3):
        box.drop(way.url, name, way.data(number), mtime=mtime)
    assert states(desk, way) == dict.fromkeys(late, "settled")
    assert intakes_of(desk) == 3


def test_a_file_whose_time_changes_and_content_does_not_makes_no_call(desk: Desk, box: Sandbox, way: Way) -> None:
    """A sender that copies its folder anew, or a server that was moved to another time zone, sends nothing twice."""
    box.far("derms").fault("status", status=503)
    box.drop(way.url, way.name, way.data(2), mtime=AT)
    states(replace(desk, outside=Unplugged(desk.outside, way.arrived)), way, Work())
    box.far("derms").no_faults()
    os.utime(box.servers["dacs"].root / way.path, (AT + 5 * 3600, AT + 5 * 3600))
    time_passes(desk)
    assert states(desk, way) == {way.name: "settled"}
    assert intakes_of(desk) == 1
    assert has_come(box, way, way.data(2))
    if not way.arrived:
        assert {each["effects"] for each in box.far("derms").effects_of("device_score").values()} == {1}
