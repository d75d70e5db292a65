"""A target whose owner allows so many calls a second gets no more, from however many workers."""

from __future__ import annotations

import threading
from dataclasses import replace

from sqlalchemy import select

from drbridge.exchange.desk import Desk
from drbridge.exchange.send import send
from drbridge.exchange.work import Work
from drbridge.ledger.tables import attempts
from drbridge.settings import Target
from drbridge_sandbox.sandbox import Sandbox
from tests.flows.test_message_order import change, come
from tests.unit.contracts.messages import good

FLOWS = {"enrollment_change": "dacs_derms_enrollment_sync", "program_rules": "dacs_derms_program_rules"}
A_SECOND = 20.0
MESSAGES = 40


def paced(desk: Desk) -> Desk:
    """DERMS allows 20 calls a second."""
    targets = {"derms_rest": Target(name="derms_rest", calls_per_second=A_SECOND)}
    return replace(desk, systems=desk.systems.model_copy(update={"targets": targets}))


def test_no_more_calls_a_second_than_the_owner_allows(desk: Desk, box: Sandbox) -> None:
    come(desk, *(change(str(n), "2026-07-14T08:00:00Z", f"S{n}") for n in range(MESSAGES)), noun="enrollment_change")
    rules = good("program_rules")
    come(desk, *(rules | {"syncRequestId": f"9{n}", "programId": f"{n}"} for n in range(9)), noun="program_rules")
    workers = [threading.Thread(target=send, args=(paced(desk), name, Work(by_hand=True))) for name in FLOWS.values()]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(box.far("derms").effects_of("enrollment_sync")) == MESSAGES
    with desk.ledger.read() as tx:
        claimed_at = sorted(tx.execute(select(attempts.c.at)).scalars())
    in_a_second = [sum(begin <= each < begin + 1.0 for each in claimed_at) for begin in claimed_at]
    assert len(claimed_at) >= MESSAGES + 9
    assert max(in_a_second) <= 1.25 * A_SECOND + 1
