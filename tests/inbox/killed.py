"""Serves the inbox in a process of its own, which may die by SIGKILL before it commits a message."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

import uvicorn

from drbridge.ledger import messages

add = messages.add


def add_and_die(*given: Any) -> None:
    add(*given)
    os.kill(os.getpid(), signal.SIGKILL)


def main(port: str, dies: str = "") -> None:
    if dies:
        messages.add = add_and_die  # type: ignore[assignment]
    uvicorn.run(
        "drbridge.inbox.alone:app", factory=True, host="127.0.0.1", port=int(port), log_level="error", ws="none"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
