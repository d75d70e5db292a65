"""Files that are not whole, or change, while somebody looks at or reads them: never taken before they are whole."""

from __future__ import annotations

import pytest

from drbridge.exchange.desk import Desk
from drbridge.exchange.waiting import look
from drbridge_sandbox.sandbox import Sandbox
from tests.faults import rude_sftp
from tests.faults.rude_sftp import LISTED, MEASURED, OPENED, READ, Act, Moment, Rudeness
from tests.faults.ways import RELAYED, TAKEN, Way, an_hour_passes, arrived, intakes_of, patient, states
from tests.flows.chain import NOW

CHANGES: list[tuple[str, Act, Moment]] = [
    ("is cut", rude_sftp.cut_to(100_000), MEASURED),
    ("is cut", rude_sftp.cut_to(300_000), READ),
    ("grows", rude_sftp.grown_by(b"one more row that is not fini"), READ),
    ("is rotated", rude_sftp.rotated(b""), READ),
    ("is renamed", rude_sftp.renamed_to("elsewhere.csv"), READ),
    ("goes away", rude_sftp.gone, MEASURED),
]


@pytest.mark.parametrize(("change", "act", "moment"), CHANGES, ids=[f"{each[0]}-{each[2]}" for each in CHANGES])
def test_a_file_that_changes_while_it_is_read_is_not_taken_and_goes_once_it_is_whole(
    rude_desk: Desk, box: Sandbox, rudeness: Rudeness, way: Way, change: str, act: Act, moment: Moment
) -> None:
    data = way.data()
    box.drop(way.url, way.name, data)
    rudeness.when(moment, way.path, act, byte=200_000 if moment == READ else 0)
    assert states(rude_desk, way)[way.name] in ("open", "gone"), change
    assert rudeness.done == [(moment, way.name)]
    assert (intakes_of(rude_desk), arrived(box, way)) == (0, {})
    box.drop(way.url, way.name, data)
    assert states(rude_desk, way) == {way.name: "settled"}
    assert is_whole(box, way, data)


def is_whole(box: Sandbox, way: Way, data: bytes) -> bool:
    """Whether these bytes came, or each of their rows, and nothing else."""
    came = arrived(box, way)
    return came == {way.name: data} if way.arrived else len(came) == data.count(b"\n") - 1


def test_a_half_written_file_is_not_taken_however_long_it_takes_to_grow(desk: Desk, box: Sandbox, way: Way) -> None:
    data, calm = way.data(900), patient(desk)
    for size in (0, 70_000, len(data) - 1, len(data)):
        box.drop(way.url, way.name, data[:size], mtime=1_700_000_000)
        an_hour_passes(desk)
        assert look(calm, way.flow, NOW).ready == (), "it has changed since the look before"
    an_hour_passes(desk)
    assert states(calm, way) == {way.name: "settled"}
    assert is_whole(box, way, data)


def test_a_file_that_grows_between_two_looks_is_not_taken(rude_desk: Desk, box: Sandbox, rudeness: Rudeness) -> None:
    data, calm = TAKEN.data(900), patient(rude_desk)
    box.drop(TAKEN.url, TAKEN.name, data[:-7], mtime=1_700_000_000)
    rudeness.when(OPENED, TAKEN.path, rude_sftp.grown_by(data[-7:]))
    for _ in range(2):
        assert look(calm, TAKEN.flow, NOW).unquiet == (TAKEN.name,)
        an_hour_passes(rude_desk)
        assert rudeness.done == [(OPENED, TAKEN.name)]
    assert look(calm, TAKEN.flow, NOW).ready == (TAKEN.name,)


def test_a_file_rewritten_between_two_looks_is_not_taken_though_size_and_time_stay(
    rude_desk: Desk, box: Sandbox, rudeness: Rudeness
) -> None:
    data, calm = TAKEN.data(900), patient(rude_desk)
    box.drop(TAKEN.url, TAKEN.name, data, mtime=1_700_000_000)
    assert look(calm, TAKEN.flow, NOW).unquiet == (TAKEN.name,)
    an_hour_passes(rude_desk)
    rudeness.when(LISTED, TAKEN.path, rude_sftp.rewritten(TAKEN.later(data)))
    assert look(calm, TAKEN.flow, NOW).unquiet == (TAKEN.name,)


@pytest.mark.parametrize("act", [rude_sftp.gone, rude_sftp.renamed_to("elsewhere.txt")], ids=["gone", "renamed"])
def test_a_file_that_went_between_list_and_open_is_no_error_and_stops_no_other(
    rude_desk: Desk, box: Sandbox, rudeness: Rudeness, way: Way, act: Act
) -> None:
    other = way.name.replace("0042", "0043")
    box.drop(way.url, way.name, way.data(3))
    box.drop(way.url, other, way.later(way.data(3)))
    rudeness.when(LISTED, way.path, act)
    assert look(rude_desk, way.flow, NOW).ready == (other,)
    assert rudeness.done == [(LISTED, way.name)]
    assert states(rude_desk, way) == {other: "settled"}


def test_a_file_renamed_between_list_and_open_goes_once_under_its_new_name(
    rude_desk: Desk, box: Sandbox, rudeness: Rudeness, way: Way
) -> None:
    new = way.name.replace("0042", "0043")
    box.drop(way.url, way.name, data := way.data(3))
    rudeness.when(LISTED, way.path, rude_sftp.renamed_to(new))
    assert states(rude_desk, way) == {new: "settled"}
    came = arrived(box, way)
    assert came == {new: data} if way.arrived else len(came) == 3
    assert states(rude_desk, way) == {}


def test_a_slow_server_gives_the_whole_file(rude_desk: Desk, box: Sandbox, rudeness: Rudeness) -> None:
    box.drop(RELAYED.url, RELAYED.name, data := RELAYED.data())
    for moment, byte in ((LISTED, 0), (OPENED, 0), (MEASURED, 0), (READ, 100_000), (READ, len(data) // 2)):
        rudeness.when(moment, RELAYED.path, rude_sftp.slow(0.1), byte)
    assert states(rude_desk, RELAYED) == {RELAYED.name: "settled"}
    assert len(rudeness.done) == 5
    assert is_whole(box, RELAYED, data)
