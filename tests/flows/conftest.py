"""Desks on the sandbox, and processes that die on them."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

from drbridge.adapters.outside import ConnectionsOutside, connection_from_json
from drbridge.exchange.desk import Desk
from drbridge.exchange.staging import Staging
from drbridge.ports import Connection
from drbridge.systems import Systems
from drbridge_sandbox.sandbox import SYSTEMS, Sandbox
from tests.flows.killed import run_and_die
from tests.forks import forked
from tests.ledgers import ledger_in

SAMPLES = Path(__file__).resolve().parents[1] / "samples"


def desk_of(box: Sandbox, systems: Systems, folder: Path) -> Desk:
    """A desk on the sandbox, its ledger and staging under `folder`."""
    staging = Staging((folder / "staging").as_uri())
    return Desk(
        systems, ledger_in(folder), staging, ConnectionsOutside(partial(connection_of, box), inbox=staging.inbox)
    )


def sweep(sandbox: Sandbox, systems: Systems) -> None:
    """Takes everything out of the sandbox: what it remembers, and what lies at the places of the flows."""
    for system in sandbox.services:
        sandbox.far(system).reset()
    places = {url for flow in systems.flows.values() for url in flow.places}
    urls = {store.url for store in systems.stores.values()} | places
    folders = {url for url in urls if url.startswith("sftp:")}
    for url in folders | {f"{url}/rejects" for url in folders}:
        place = sandbox.place(url)
        for name in place.names():
            place.remove(name)
    for bucket in SYSTEMS:
        _empty(sandbox.place(f"s3://{bucket}_objects/{bucket}").client, bucket)


def _empty(client: Any, bucket: str) -> None:
    """Every object goes: one listing for all places in a bucket."""
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for each in page.get("Contents", []):
            client.delete_object(Bucket=bucket, Key=each["Key"])


def connection_of(box: Sandbox, conn_id: str) -> Connection:
    """One of the sandbox's connections."""
    return connection_from_json(conn_id, json.dumps(box.connections()[conn_id]))


def run_until_killed(box: Sandbox, folder: Path, flow: str, step: str) -> None:
    """Runs a flow in a process of its own that is killed (SIGKILL) right before it notes what it sent."""
    process = forked(run_and_die, flow, step, env={**box.env(), "DRBRIDGE_TEST_FOLDER": str(folder)})
    process.join()
    assert process.exitcode == -9
