"""The control API: what tests and the demo ask the sandbox and tell it to do. It has a port of its own, no password."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeVar

from fastapi import Body, FastAPI, HTTPException, Query

from drbridge_sandbox.rest.faults import Fault
from drbridge_sandbox.rest.gate import Gate
from drbridge_sandbox.rest.planning import Wanted, why_not

T = TypeVar("T")


def build(gates: Mapping[str, Gate]) -> FastAPI:
    """The control API over all services, under /_sandbox/{system}."""
    app = FastAPI(title="Sandbox control", redoc_url=None)

    def gate_of(system: str) -> Gate:
        if system not in gates:
            raise HTTPException(404, f"there is no {system}, only {', '.join(gates)}")
        return gates[system]

    async def ask(system: str, question: Callable[[Any], T]) -> T:
        memory = gate_of(system).hall.memory
        return await asyncio.get_running_loop().run_in_executor(memory.worker, question, memory)

    @app.get("/_sandbox")
    async def state() -> dict[str, dict[str, Any]]:
        return {name: {"port": gate.port, "up": gate.is_up} for name, gate in gates.items()}

    @app.get("/_sandbox/{system}/counts")
    async def counts(system: str) -> dict[str, Any]:
        return await ask(system, lambda memory: memory.counts())

    @app.get("/_sandbox/{system}/requests")
    async def requests(system: str, after: int = 0, limit: int = 10_000) -> list[dict[str, Any]]:
        return await ask(system, lambda memory: memory.requests(after, limit))

    @app.get("/_sandbox/{system}/effects")
    async def effects(
        system: str, noun: str, after: str = "", limit: int = 50_000, at_least: int = 0
    ) -> list[dict[str, Any]]:
        return await ask(system, lambda memory: memory.effects(noun, after, limit, at_least))

    @app.get("/_sandbox/{system}/effect")
    async def effect(system: str, noun: str, key: str) -> dict[str, Any] | None:
        return await ask(system, lambda memory: memory.effect(noun, key))

    @app.post("/_sandbox/{system}/reset")
    async def reset(system: str) -> None:
        gate = gate_of(system)
        gate.hall.dial.clear()
        await ask(system, lambda memory: memory.reset())
        await gate.up()

    @app.get("/_sandbox/{system}/faults")
    async def faults(system: str) -> list[Fault]:
        return gate_of(system).hall.dial.faults

    @app.post("/_sandbox/{system}/faults")
    async def add_fault(system: str, fault: Fault) -> None:
        gate_of(system).hall.dial.add(fault)

    @app.delete("/_sandbox/{system}/faults")
    async def clear_faults(system: str) -> None:
        gate_of(system).hall.dial.clear()

    @app.post("/_sandbox/{system}/down")
    async def down(system: str) -> None:
        await gate_of(system).down()

    @app.post("/_sandbox/{system}/up")
    async def up(system: str) -> None:
        await gate_of(system).up()

    @app.post("/_sandbox/{system}/seed")
    async def seed(system: str, sync_requests: Annotated[list[str], Body(embed=True)]) -> int:
        return await ask(system, lambda memory: memory.seed_sync_requests(sync_requests))

    @app.get("/_sandbox/{system}/records/{kind}")
    async def records(system: str, kind: str, start: str = "") -> dict[str, dict[str, Any]]:
        return await ask(system, lambda memory: memory.records.all(kind, start))

    @app.post("/_sandbox/{system}/records/{kind}")
    async def plant(system: str, kind: str, values: Annotated[dict[str, dict[str, Any]], Body()]) -> int:
        return await ask(system, lambda memory: memory.plant(kind, values))

    @app.delete("/_sandbox/{system}/records/{kind}")
    async def uproot(system: str, kind: str, ids: Annotated[list[str], Body()]) -> int:
        return await ask(system, lambda memory: memory.uproot(kind, ids))

    @app.get("/_sandbox/derms/reservable")
    async def reservable(wanted: Annotated[Wanted, Query()]) -> dict[str, Any]:
        why = await ask("derms", lambda memory: why_not(memory.records, wanted))
        return {"reservable": not why, "why": why}

    @app.post("/_sandbox/{system}/tokens")
    async def tokens(system: str, lifetime: Annotated[float | None, Query(gt=0)] = None, revoke: bool = False) -> None:
        doorman = gate_of(system).hall.doorman
        if lifetime is not None:
            doorman.lifetime = lifetime
        if revoke:
            doorman.revoke()

    return app
