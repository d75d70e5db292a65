"""Customer files go in the order of their kinds: contacts, service points, service agreements."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from drbridge.exchange import waiting
from drbridge.exchange.desk import Desk
from drbridge.exchange.waiting import look
from drbridge.exchange.work import Work
from drbridge_sandbox.sandbox import Sandbox
from tests.flows.cases import asked, states
from tests.flows.chain import NOW
from tests.flows.conftest import SAMPLES
from tests.flows.outsides import Unplugged

FLOW, OTHER = "ccs_dacs_customers", "ccs_derms_customers"
SOURCE, STORE = "sftp://cis_files/outgoing/customers", "s3://dacs_objects/dacs/incoming/customers"
CONTACTS = SAMPLES / "customer_contact" / "C1-DCTEX_0033_00.csv"
POINTS = SAMPLES / "customer_service_point" / "C1-DSPEX_0033_00.csv"
AGREEMENTS = SAMPLES / "customer_service_agreement" / "C1-DMSEX_0033_00.csv"


@pytest.fixture
def alone(desk: Desk) -> Desk:
    """A site whose customers go to DACS only."""
    flows = {name: flow for name, flow in desk.systems.flows.items() if name != OTHER}
    return replace(desk, systems=desk.systems.model_copy(update={"flows": flows}))


def drop(box: Sandbox, *samples: Path) -> None:
    for sample in samples:
        box.drop(SOURCE, sample.name, sample)


def test_each_kind_waits_until_the_one_before_is_delivered(alone: Desk, box: Sandbox) -> None:
    drop(box, AGREEMENTS, POINTS, CONTACTS)
    seen = look(alone, FLOW, NOW)
    assert seen.ready == (CONTACTS.name,)
    assert sorted(seen.behind) == [
        f"{AGREEMENTS.name} waits until {POINTS.name} is delivered",
        f"{POINTS.name} waits until {CONTACTS.name} is delivered",
    ]
    for expected in (CONTACTS, POINTS, AGREEMENTS):
        assert states(alone, FLOW) == {expected.name: "settled"}
    assert states(alone, FLOW) == {}
    assert set(box.files(STORE)) == {CONTACTS.name, POINTS.name, AGREEMENTS.name}


def test_an_initial_load_and_changes_do_not_wait_for_each_other(alone: Desk, box: Sandbox) -> None:
    drop(box, CONTACTS)
    box.drop(SOURCE, "C1-DSPIL_0001_00.csv", POINTS)
    assert states(alone, FLOW) == {CONTACTS.name: "settled", "C1-DSPIL_0001_00.csv": "settled"}


def test_a_later_kind_alone_waits_for_nothing(alone: Desk, box: Sandbox) -> None:
    drop(box, AGREEMENTS)
    assert states(alone, FLOW) == {AGREEMENTS.name: "settled"}


def test_other_side_down_keeps_the_later_kinds_back(alone: Desk, box: Sandbox) -> None:
    drop(box, CONTACTS, POINTS)
    down = replace(alone, outside=Unplugged(alone.outside, STORE))
    assert states(down, FLOW, Work()) == {CONTACTS.name: "open"}
    assert states(down, FLOW, Work()) == {CONTACTS.name: "open"}
    assert states(alone, FLOW) == {CONTACTS.name: "settled"}
    assert states(alone, FLOW) == {POINTS.name: "settled"}


def test_a_person_who_names_a_file_does_not_overtake_either(alone: Desk, box: Sandbox) -> None:
    drop(box, CONTACTS, POINTS)
    assert states(alone, FLOW, asked(POINTS.name, "nothing")) == {}


def test_a_refused_file_keeps_nothing_back(alone: Desk, box: Sandbox) -> None:
    box.drop(SOURCE, CONTACTS.name, CONTACTS.read_bytes() + b"x\ty\n")
    drop(box, POINTS)
    assert states(alone, FLOW) == {CONTACTS.name: "refused"}
    assert states(alone, FLOW) == {POINTS.name: "settled"}


def test_a_destination_that_is_behind_keeps_no_other_back(desk: Desk, box: Sandbox) -> None:
    """DERMS has no contacts yet; DACS has, and gets its service points. DERMS then gets both in order."""
    drop(box, CONTACTS, POINTS)
    for expected in (CONTACTS, POINTS):
        assert states(desk, FLOW) == {expected.name: "settled"}
    assert states(desk, FLOW) == {}
    assert look(desk, OTHER, NOW).ready == (CONTACTS.name,)
    assert f"{POINTS.name} waits until {CONTACTS.name} is delivered" in look(desk, OTHER, NOW).behind
    assert set(box.files(SOURCE)) == {CONTACTS.name, POINTS.name}, "the last to end renames them"


def test_a_zip_travels_as_it_came(alone: Desk, box: Sandbox) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(CONTACTS.name, CONTACTS.read_bytes())
    name = f"{CONTACTS.name}.zip"
    box.drop(SOURCE, name, packed.getvalue())
    assert states(alone, FLOW) == {name: "settled"}
    assert box.files(STORE) == {name: packed.getvalue()}


def test_more_files_of_a_later_kind_than_a_run_takes_do_not_hide_the_earlier_one(
    alone: Desk, box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "MOST_FILES", 2)
    for number in range(4):
        data = POINTS.read_bytes().replace(b"9988776655", b"998877%04d" % number)
        box.drop(SOURCE, f"C1-DSPEX_{number:04d}_00.csv", data, mtime=1_000_000_000)
    drop(box, CONTACTS)
    seen = look(alone, FLOW, NOW)
    assert (seen.ready, seen.left, len(seen.behind)) == ((CONTACTS.name,), 0, 4)
    assert states(alone, FLOW) == {CONTACTS.name: "settled"}
    assert len(states(alone, FLOW)) == 2
