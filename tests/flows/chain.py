"""A flow's chain without Airflow: the same use cases in the same order."""

from __future__ import annotations

from drbridge.errors import DrBridgeError
from drbridge.exchange.archive import Verdict, archive
from drbridge.exchange.desk import Desk
from drbridge.exchange.relay import relay
from drbridge.exchange.resend import reopen
from drbridge.exchange.send import answer, send
from drbridge.exchange.take import take
from drbridge.exchange.waiting import look
from drbridge.exchange.work import Work
from drbridge.systems import Endpoint

NOW = Work(by_hand=True)


def run(desk: Desk, flow_name: str, work: Work = NOW) -> dict[str, Verdict]:
    """One run of a flow: what every file got as its verdict. A task that fails does not stop the others."""
    flow = desk.systems.flow(flow_name)
    reopen(desk, flow_name, work)
    look(desk, flow_name, work)
    names = look(desk, flow_name, work).ready
    sends = any(isinstance(desk.systems.destination(name), Endpoint) for name in flow.deliver)
    for name in names:
        if sends:
            _task(lambda name=name: take(desk, flow_name, name))
        _task(lambda name=name: relay(desk, flow_name, name, work))
    _task(lambda: send(desk, flow_name, work))
    verdicts = {name: archive(desk, flow_name, name) for name in names}
    _task(lambda: answer(desk, flow_name, work))
    return verdicts


def _task(step: object) -> None:
    try:
        step()  # type: ignore[operator]
    except DrBridgeError as error:
        print(f"task failed: {error}")
