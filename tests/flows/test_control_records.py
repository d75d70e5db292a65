"""Files of money go only with their control record, and only when both say the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from drbridge.errors import Unreachable
from drbridge.exchange.desk import Desk
from drbridge.exchange.relay import _Relay
from drbridge.exchange.waiting import look
from drbridge.systems import Systems
from drbridge_sandbox.sandbox import Sandbox
from tests.flows.cases import asked, states
from tests.flows.chain import NOW, run
from tests.flows.conftest import SAMPLES, desk_of
from tests.flows.control_records import record_of

FLOW = "dacs_ccs_settlement_credits"
SOURCE, STORE = "sftp://dacs_files/outgoing/settlement", "sftp://cis_files/incoming/settlement"
SAMPLE = SAMPLES / "settlement_credit" / "CUST_SETTLEMENT_20260715T060000Z.csv"
NAME, RECORD = SAMPLE.name, f"{SAMPLE.name}.control.json"
DATA = SAMPLE.read_bytes()
WRITTEN = SAMPLE.with_name(RECORD).read_bytes()


def test_the_record_written_by_hand_is_the_one_that_tests_write() -> None:
    assert json.loads(record_of(NAME, DATA)) == json.loads(WRITTEN)


def test_a_file_without_its_record_waits_and_says_so(desk: Desk, box: Sandbox) -> None:
    box.drop(SOURCE, NAME, SAMPLE)
    seen = look(desk, FLOW, NOW)
    assert (seen.ready, seen.unquiet) == ((), ())
    assert seen.behind == (f"{NAME} waits for its control record {RECORD}",)
    box.drop(SOURCE, RECORD, WRITTEN)
    assert look(desk, FLOW, NOW).ready == (NAME,)


def test_a_record_without_its_file_is_nothing_to_do(desk: Desk, box: Sandbox) -> None:
    box.drop(SOURCE, RECORD, WRITTEN)
    assert look(desk, FLOW, NOW).ready == ()


def test_the_record_follows_its_file_and_is_put_away_with_it(desk: Desk, box: Sandbox) -> None:
    lay(box, WRITTEN)
    assert states(desk, FLOW) == {NAME: "settled"}
    assert box.files(STORE) == {NAME: DATA, RECORD: WRITTEN}
    assert set(box.files(SOURCE)) == {f"Sent-{NAME}", f"Sent-{RECORD}"}


@pytest.mark.parametrize(("changes", "told"), [
    ({"totals": {"USD": "-25.24"}}, "they differ in totals: the record says 4 rows, USD -25.24 of"),
    ({"totals": {"CAD": "-25.23"}}, "the record says 4 rows, CAD -25.23"), ({"totals": {}}, "says 4 rows, no amounts"),
    ({"rows": 5}, "they differ in rows: the record says 5 rows, USD -25.23"),
    ({"sha256": "0" * 64}, "they differ in sha256"),
    ({"fileName": "CUST_SETTLEMENT_20260716T060000Z.csv"}, "they differ in name"), ({"rows": "many"}, "cannot be read"),
    ({"totals": {"USD": "NaN"}}, "cannot be read"),
])  # fmt: skip
def test_a_file_that_is_not_what_its_record_says_goes_nowhere(
    desk: Desk, box: Sandbox, changes: dict[str, Any], told: str
) -> None:
    lay(box, record_of(NAME, DATA, **changes))
    verdict = run(desk, FLOW)[NAME]
    assert verdict.state == "refused"
    assert told in verdict.text
    if "cannot" not in told:
        assert f"{NAME} holds 4 rows, USD -25.23" in verdict.text
    assert box.files(STORE) == {}
    assert set(box.files(SOURCE)) == {f"Error-{NAME}", f"Error-{RECORD}"}
    (rejects,) = box.files(f"{SOURCE}/rejects").values()
    assert b"totals_differ" in rejects


def test_a_corrected_record_and_a_resend_of_what_failed_deliver_it(desk: Desk, box: Sandbox) -> None:
    lay(box, record_of(NAME, DATA, rows=5))
    states(desk, FLOW)
    box.drop(SOURCE, RECORD, WRITTEN)
    assert states(desk, FLOW, asked(NAME, "failed")) == {NAME: "settled"}
    assert box.files(STORE) == {NAME: DATA, RECORD: WRITTEN}


def test_both_given_their_old_names_back_are_judged_anew(desk: Desk, box: Sandbox) -> None:
    lay(box, record_of(NAME, DATA, rows=5))
    states(desk, FLOW)
    place = box.place(SOURCE)
    place.remove(f"Error-{RECORD}")
    place.remove(f"Error-{NAME}")
    lay(box, WRITTEN)
    assert states(desk, FLOW) == {NAME: "settled"}


def test_what_lies_there_of_an_earlier_try_gives_way(desk: Desk, box: Sandbox) -> None:
    box.drop(STORE, NAME, SAMPLE)
    box.drop(STORE, RECORD, b"{")
    lay(box, WRITTEN)
    assert states(desk, FLOW) == {NAME: "settled"}
    assert box.files(STORE)[RECORD] == WRITTEN


def test_rows_that_cannot_be_read_are_in_no_total(desk: Desk, box: Sandbox) -> None:
    rows = DATA.splitlines(keepends=True)
    data = b"".join([*rows, *(rows[1].replace(b"88000001", b"9%d" % number) for number in range(30)), b"x,y\n"])
    box.drop(SOURCE, NAME, data)
    box.drop(SOURCE, RECORD, record_of(NAME, data))
    assert states(desk, FLOW) == {NAME: "settled"}
    assert box.files(STORE)[NAME] == data


def test_a_record_that_does_not_arrive_is_laid_by_the_next_run(
    desk: Desk, box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_off(*_: object) -> None:
        raise Unreachable("The line broke")

    lay(box, WRITTEN)
    with monkeypatch.context() as broken:
        broken.setattr(_Relay, "_lay_record", cut_off)
        assert states(desk, FLOW) == {NAME: "open"}
    assert box.files(STORE) == {NAME: DATA}
    assert states(desk, FLOW) == {NAME: "settled"}
    assert box.files(STORE) == {NAME: DATA, RECORD: WRITTEN}


def test_from_a_bucket_into_a_bucket_it_is_the_same(box: Sandbox, systems: Systems, tmp_path: Path) -> None:
    source, store = "s3://dacs_objects/dacs/outgoing/settlement", "s3://cis_objects/cis/incoming/settlement"
    flow = systems.flow(FLOW).model_copy(update={"source": source})
    stores = {"cis_settlement": systems.stores["cis_settlement"].model_copy(update={"url": store})}
    desk = desk_of(box, systems.model_copy(update={"flows": {FLOW: flow}, "stores": stores}), tmp_path)
    box.drop(source, RECORD, WRITTEN)
    box.drop(source, NAME, SAMPLE)
    assert states(desk, FLOW) == {NAME: "settled"}
    assert box.files(store) == {NAME: DATA, RECORD: WRITTEN}
    assert set(box.files(source)) == {f"Sent-{NAME}", f"Sent-{RECORD}"}
    desk.ledger.close()


def lay(box: Sandbox, record: bytes) -> None:
    box.drop(SOURCE, NAME, SAMPLE)
    box.drop(SOURCE, RECORD, record)
