"""The process that serves DACS, the DERMS and the CIS: `python -m drbridge_sandbox.rest SETTINGS.json`."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

import uvicorn

from drbridge_sandbox.rest import ccs, control, dacs, derms
from drbridge_sandbox.rest.auth import Doorman
from drbridge_sandbox.rest.gate import HOST, Gate
from drbridge_sandbox.rest.hall import Hall
from drbridge_sandbox.rest.memory import Memory

SERVICES = {"dacs": dacs.build, "derms": derms.build, "ccs": ccs.build}


def open_gate(root: Path, name: str, settings: dict[str, Any]) -> Gate:
    """One service with its memory under `root`."""
    doorman = Doorman(settings["auth"], settings["login"], settings["password"])
    hall = Hall(name, doorman, Memory(root / f"{name}.sqlite"))
    SERVICES[name](hall)
    return Gate(hall, settings["port"])


async def serve(settings: dict[str, Any]) -> None:
    """Serves until the process is told to end. The control port opens last: when it answers, all is up."""
    root = Path(settings["root"])
    gates = {name: open_gate(root, name, each) for name, each in settings["services"].items()}
    for gate in gates.values():
        await gate.up()
    config = uvicorn.Config(
        control.build(gates), host=HOST, port=settings["control_port"], lifespan="off", log_config=None,
        access_log=False, timeout_graceful_shutdown=1,
    )  # fmt: skip
    await uvicorn.Server(config).serve()
    for gate in gates.values():
        await gate.down()
        gate.hall.memory.close()


def main() -> None:
    """Runs the process."""
    settings = json.loads(Path(sys.argv[1]).read_text())
    tempfile.tempdir = settings["temporary"]
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with asyncio.Runner(loop_factory=uvicorn.Config("").get_loop_factory()) as runner:
        runner.run(serve(settings))


if __name__ == "__main__":
    main()
