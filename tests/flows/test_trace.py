"""Where something was: told in few lines, found without opening what does not name it, gone when its time is over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from drbridge.exchange.accept import accept, read
from drbridge.exchange.desk import Desk
from drbridge.exchange.housekeeping import sweep
from drbridge.exchange.seal import Seal, new_key
from drbridge.exchange.send import send
from drbridge.exchange.trace import Trace, trace
from drbridge.ledger.tables import mentions, messages
from drbridge_sandbox.sandbox import Sandbox
from tests.flows.cases import OUTCOME, OUTCOMES, TO_DACS, TO_OUAI, states
from tests.flows.chain import NOW
from tests.flows.more_rows import many_rows
from tests.flows.test_housekeeping import in_days
from tests.unit.contracts.messages import good

OPT_OUTS = "dacs_derms_event_opt_out"


def opt_out(stage: str) -> dict[str, Any]:
    return good("event_opt_out") | {"messageId": f"OO-{stage}", "stageId": stage}


def come(desk: Desk, *stages: str) -> list[str]:
    """An opt-out for each stage comes in; their numbers."""
    return [
        receipt.number for receipt in accept(desk, [read("event_opt_out", opt_out(each), "dacs") for each in stages])
    ]


def files(found: Sequence[Trace]) -> list[str]:
    return [each.file for each in found]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What was taken out of its seal."""
    contents: list[bytes] = []
    unseal = Seal.open

    def noted(seal: Seal, sealed: bytes) -> bytes:
        contents.append(sealed)
        return unseal(seal, sealed)

    monkeypatch.setattr(Seal, "open", noted)
    return contents


def test_rows_of_one_parcel_are_told_once_and_a_refused_row_between_them_apart(desk: Desk, box: Sandbox) -> None:
    header, row, *_ = OUTCOME.read_bytes().splitlines(keepends=True)
    first, *rest = many_rows("event_outcome", [row] * 40)
    bad = row.replace(b"SUCCESS", b"MAYBE")
    box.drop(OUTCOMES, OUTCOME.name, header + first + bad + b"".join(rest))
    states(desk, TO_DACS)
    states(desk, TO_OUAI)
    event = row.decode().split(",")[1]
    told = [(each.destination, each.line, each.last_line, each.state) for each in trace(desk, event)]
    last = len(rest) + 3
    assert [each for each in told if each[0] == "dacs_event_outcome"] == [
        ("dacs_event_outcome", 2, 2, "ACKED"),
        ("dacs_event_outcome", 3, 3, "REJECTED"),
        ("dacs_event_outcome", 4, last, "ACKED"),
    ]
    assert [each for each in told if each[0] == "ouai_outcome"] == [("ouai_outcome", 2, last, "ACKED")]


def test_only_messages_that_name_the_key_are_opened(desk: Desk, opened: list[bytes]) -> None:
    numbers = come(desk, "7001", "7002", "7003")
    assert files(trace(desk, "7002")) == numbers[1:2]
    assert len(opened) == 1
    assert trace(desk, "7009") == []
    assert len(opened) == 1


def test_a_message_that_an_older_version_wrote_down_is_found_by_opening_it(desk: Desk) -> None:
    older, newer = come(desk, "7001"), come(desk, "7002")
    with desk.ledger.write() as tx:
        tx.execute(delete(mentions))
        tx.execute(update(messages).where(messages.c.number == older[0]).values(marked=False))
    assert files(trace(desk, "7001")) == older
    assert trace(desk, "7002") == [], "the marks of the newer one are gone, and nothing says that it has none"
    assert files(trace(desk, newer[0])) == newer


def test_a_message_that_was_sealed_with_an_older_key_is_found(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = new_key(), new_key()
    monkeypatch.setenv("DRBRIDGE_SEAL_KEY", old)
    before = come(desk, "7001")
    monkeypatch.setenv("DRBRIDGE_SEAL_KEY", f"{new},{old}")
    after = come(desk, "7002")
    assert files(trace(desk, "7001")) == before
    assert files(trace(desk, "7002")) == after


def test_a_device_of_one_customer_among_many_is_found_in_its_own_request(desk: Desk) -> None:
    data = good("enrollment_request")
    other = data["requests"][0] | {
        "assetInfo": {"assetList": [{"nicId": "nic-of-the-second", "headEndSystem": "NEST"}]}
    }
    accept(desk, [read("enrollment_request", data | {"requests": [data["requests"][0], other]}, "derms")])
    assert [(each.line, each.matched) for each in trace(desk, "nic-of-the-second")] == [
        (2, ("requests.1.assetInfo.assetList.0.nicId",))
    ]


def test_a_stage_is_found_in_the_message_that_cancels_its_whole_event(desk: Desk) -> None:
    scheduled = good("event_status") | {"messageId": "ST-1", "stageId": "1999"}
    cancelled = {name: scheduled[name] for name in ("eventId", "sentAt")} | {
        "messageId": "ST-2", "stageStatus": "CANCELED",
    }  # fmt: skip
    accept(desk, [read("event_status", scheduled, "derms")])
    (receipt,) = accept(desk, [read("event_status", cancelled, "derms")])
    assert receipt.number in files(trace(desk, "1999"))


def test_what_a_message_names_goes_with_its_content(desk: Desk, box: Sandbox) -> None:
    numbers = come(desk, "7001")
    send(desk, OPT_OUTS, NOW)
    assert files(trace(desk, "7001")) == numbers
    assert sweep(in_days(desk, 91)).contents == 1
    with desk.ledger.read() as tx:
        assert tx.execute(select(mentions)).all() == []
    assert trace(desk, "7001") == []
    assert files(trace(desk, numbers[0])) == numbers


def test_a_mark_tells_nothing_to_who_has_not_the_key() -> None:
    ours, theirs = Seal(new_key()), Seal(new_key())
    assert ours.mark("4711") == ours.mark("4711") != theirs.mark("4711")
    assert ours.mark("4711") != ours.mark("4712")


def test_no_key_finds_nothing(desk: Desk, box: Sandbox) -> None:
    box.drop(OUTCOMES, OUTCOME.name, OUTCOME)
    states(desk, TO_DACS)
    come(desk, "7001")
    assert trace(desk, "") == []
