"""Files of any kind: relayed byte for byte, known by their content, and never empty."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic import ValidationError
from sqlalchemy import select

from drbridge.exchange.desk import Desk
from drbridge.exchange.recount import recount
from drbridge.ledger.tables import intakes
from drbridge.systems import Systems
from drbridge_sandbox.sandbox import Sandbox
from tests.flows.chain import run

FLOW, SOURCE = "dacs_ouai_enrollment_sync", "sftp://dacs_files/outgoing/enrollment"
STORE = "s3://ouai_objects/ouai/incoming/enrollment"
NAME = "TARIFFS_2026.pdf"
CONTENT = b'%PDF-1.7\n\x00\xff\xfe"a,b\r\n\r' * 400_000


@pytest.fixture
def any_file(desk: Desk) -> Desk:
    """A desk whose enrollment flow also takes files of any kind that begin with TARIFFS."""
    flow = desk.systems.flows[FLOW]
    wider = flow.model_copy(update={"prefixes": {**flow.prefixes, "TARIFFS": "any_file"}})
    return replace(desk, systems=desk.systems.model_copy(update={"flows": {**desk.systems.flows, FLOW: wider}}))


def test_a_file_of_any_kind_arrives_byte_for_byte_and_once(any_file: Desk, box: Sandbox) -> None:
    box.drop(SOURCE, NAME, CONTENT)
    assert {name: verdict.state for name, verdict in run(any_file, FLOW).items()} == {NAME: "settled"}
    assert box.files(STORE) == {NAME: CONTENT}
    assert recount(any_file) == (1, [])
    box.drop(SOURCE, NAME, CONTENT)
    run(any_file, FLOW)
    with any_file.ledger.read() as tx:
        assert len(tx.execute(select(intakes.c.id)).all()) == 1, "the same bytes are the same arrival"


def test_an_empty_file_of_any_kind_is_refused(any_file: Desk, box: Sandbox) -> None:
    box.drop(SOURCE, NAME, b"")
    run(any_file, FLOW)
    assert box.files(STORE) == {}
    assert list(box.files(SOURCE)) == [f"Error-{NAME}"]


def test_a_file_of_any_kind_has_no_rows_to_send(systems: Systems) -> None:
    flow = systems.flows["ouai_dacs_enrollment_ack"]
    told = systems.model_dump(by_alias=True)
    told["flows"][flow.name]["prefixes"] = {"ENROLL_ACK": "any_file"}
    with pytest.raises(ValidationError, match="deliver them to stores"):
        Systems.model_validate(told)
