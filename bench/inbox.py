"""How fast messages are stored, and how fast they go on, beside a bare loop that makes the same calls.

    python bench/inbox.py --messages 20000 --callers 16

Enrollment changes, four for each subscription, are posted in a drawn order by many callers at once to the real inbox;
then `send` drains them to the sandbox's DERMS, ledger included. A bare aiohttp loop with as many calls in flight sends
the same bodies to the same service, before and after. Fails when a message is lost or takes effect twice, when a
subscription does not end at its newest change, or when `send` is slower than half the bare loop.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import aiohttp

from drbridge.contracts.enrollment_change import EnrollmentChange, to_derms_enroll
from drbridge.exchange.send import send
from drbridge.exchange.work import Work
from drbridge.inbox.alone import desk
from drbridge.inbox.callers import CallersInFile
from drbridge_sandbox.children import free_ports
from drbridge_sandbox.sandbox import Sandbox

FLOW = "dacs_derms_enrollment_sync"
NAME, PASSWORD = "dacs", "bench-of-the-inbox"
CHANGES = 4
FIRST = datetime(2026, 7, 1, tzinfo=UTC)
LEAST_RATIO = 0.5
SEED = 20260714


def main() -> int:
    """Runs the bench and prints a table and one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--callers", type=int, default=16)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="drbridge-bench-") as folder:
        os.environ["DRBRIDGE_HOME"] = folder
        with Sandbox(Path(folder) / "sandbox") as box:
            os.environ.update(box.env())
            found = _measure(box, made(asked.messages), asked.callers)
    print(_table(found))
    print(json.dumps(found))
    return 0 if not found["wrong"] and found["ratio"] >= LEAST_RATIO else 1


def made(count: int) -> list[dict[str, Any]]:
    """The messages in a drawn order."""
    messages = [_message(number, number % (count // CHANGES)) for number in range(count)]
    Random(SEED).shuffle(messages)
    return messages


def _message(number: int, subscription: int) -> dict[str, Any]:
    at = FIRST + timedelta(minutes=number)
    device = {"deviceId": f"{subscription:012d}", "headEndSystem": "ECOBEE", "nicId": f"nic-{number}"}
    return {
        "syncRequestId": f"{number:014d}",
        "action": "ENROLL" if number < subscription + 1 else "DEVICE_CHANGE",
        "changeDateTime": f"{at:%Y-%m-%dT%H:%M:%SZ}",
        "contactInfo": {"contactId": f"C{subscription}", "cisPersonId": f"P{subscription}"},
        "subscriptionInfo": {
            "subscriptionId": f"{subscription:014d}", "programId": "PRG", "programCode": "SUMMER-TSTAT",
            "startDateTime": "2026-07-01T00:00:00Z", "status": "ACTIVE",
        },
        "locationInfo": {"cisServicePointId": f"SP{subscription}", "controllableDevices": [device]},
    }  # fmt: skip


def _measure(box: Sandbox, messages: list[dict[str, Any]], callers: int) -> dict[str, Any]:
    in_flight = desk().systems.endpoints["derms_enroll"].in_flight
    bodies = [to_derms_enroll(EnrollmentChange.model_validate(message)) for message in messages]
    bodies.sort(key=lambda body: str(body["changeDateTimeISO"]))
    target = box.connections()["derms_rest"]
    bare = [_bare(box, target, bodies, in_flight)]
    box.far("derms").reset()
    posted = _post_all(messages, callers)
    drained = _drain()
    wrong = _wrong(box, messages)
    bare.append(_bare(box, target, bodies, in_flight))
    rate, limit = len(messages) / drained, statistics.mean(len(messages) / seconds for seconds in bare)
    return {
        "messages": len(messages), "callers": callers, "posted_a_second": round(len(messages) / posted),
        "sent_a_second": round(rate), "bare_a_second": [round(len(messages) / seconds) for seconds in bare],
        "in_flight": in_flight, "ratio": round(rate / limit, 2), "wrong": wrong,
    }  # fmt: skip


def _post_all(messages: Sequence[dict[str, Any]], callers: int) -> float:
    """Seconds until the last message was taken by the inbox, served by a process of its own."""
    CallersInFile().add(NAME, PASSWORD, ["*"])
    desk()
    port = free_ports(1)[0]
    server = subprocess.Popen([str(Path(sys.executable).with_name("drbridge")), "inbox", "serve", "--port", str(port)])
    try:
        _wait_for(f"http://127.0.0.1:{port}/drbridge/health")
        started = time.perf_counter()
        asyncio.run(_post(f"http://127.0.0.1:{port}/drbridge/enrollment-syncs", messages, callers))
        return time.perf_counter() - started
    finally:
        server.terminate()
        server.wait()


async def _post(url: str, messages: Sequence[dict[str, Any]], callers: int) -> None:
    waiting = iter(messages)
    login = {"Authorization": aiohttp.encode_basic_auth(NAME, PASSWORD)}
    async with aiohttp.ClientSession(headers=login) as session:

        async def caller() -> None:
            for message in waiting:
                async with session.post(url, json=message) as reply:
                    if reply.status != 202:
                        raise RuntimeError(f"the inbox answered {reply.status}: {await reply.text()}")

        await asyncio.gather(*(caller() for _ in range(callers)))


def _wait_for(url: str) -> None:
    for _ in range(300):
        with suppress(OSError):
            urllib.request.urlopen(url, timeout=5).read()
            return
        time.sleep(0.1)
    raise RuntimeError(f"{url} does not answer")


def _drain() -> float:
    """Seconds until nothing of the flow is left to send."""
    started = time.perf_counter()
    while send(desk(), FLOW, Work(by_hand=True)).open_left:
        pass
    return time.perf_counter() - started


def _bare(box: Sandbox, connection: dict[str, Any], bodies: list[dict[str, Any]], in_flight: int) -> float:
    box.far("derms").reset()
    return asyncio.run(_bare_loop(connection, bodies, in_flight))


async def _bare_loop(connection: dict[str, Any], bodies: list[dict[str, Any]], in_flight: int) -> float:
    url = f"http://{connection['host']}:{connection['port']}"
    login = {"Authorization": aiohttp.encode_basic_auth(connection["login"], connection["password"])}
    async with aiohttp.ClientSession() as session:
        form = {"grant_type": "client_credentials"}
        async with session.post(f"{url}/oauth/token", data=form, headers=login) as reply:
            head = {"Authorization": f"Bearer {(await reply.json())['access_token']}"}
        waiting, started = iter(enumerate(bodies)), time.perf_counter()

        async def worker() -> None:
            for number, body in waiting:
                async with session.post(
                    f"{url}/enroll", json=body, headers={**head, "Idempotency-Key": f"b{number}"}
                ) as r:
                    await r.read()

        await asyncio.gather(*(worker() for _ in range(in_flight)))
        return time.perf_counter() - started


def _wrong(box: Sandbox, messages: list[dict[str, Any]]) -> list[str]:
    """What is not as it must be at the far side."""
    newest: dict[str, str] = {}
    for message in messages:
        subscription = message["subscriptionInfo"]["subscriptionId"]
        newest[subscription] = max(newest.get(subscription, ""), message["changeDateTime"])
    found = box.far("derms").records("subscription")
    behind = [each for each, at in newest.items() if not _same(found.get(each, {}).get("changeDateTimeISO"), at)]
    effects = box.far("derms").counts()["effects"].get("enrollment_sync", {})
    wrong = [f"{len(behind)} subscriptions are not at their newest change"] if behind else []
    wrong += [f"{effects['twice']} messages took effect twice"] if effects.get("twice") else []
    wrong += [f"{effects['late']} older changes took effect after newer ones"] if effects.get("late") else []
    if len(found) != len(newest):
        wrong.append(f"{len(found)} subscriptions of {len(newest)}")
    return wrong


def _same(kept: str | None, posted: str) -> bool:
    return kept is not None and datetime.fromisoformat(kept) == datetime.fromisoformat(posted)


def _table(found: dict[str, Any]) -> str:
    return (
        f"{found['messages']} messages, {found['callers']} callers: {found['posted_a_second']} stored a second\n"
        f"send, ledger included: {found['sent_a_second']} a second, {found['in_flight']} in flight\n"
        f"bare aiohttp loop:     {' and '.join(map(str, found['bare_a_second']))} a second\n"
        f"ratio {found['ratio']} (at least {LEAST_RATIO}); wrong: {'; '.join(found['wrong']) or 'nothing'}"
    )


if __name__ == "__main__":
    sys.exit(main())
