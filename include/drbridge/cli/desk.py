"""The desk of the command line, and how it tells errors."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from drbridge.adapters.here import open_desk
from drbridge.errors import DrBridgeError


@contextmanager
def told_plainly() -> Iterator[None]:
    """Turns our errors into one message and exit code 3; nobody gets a traceback for a wrong setting."""
    try:
        yield
    except DrBridgeError as error:
        print(error, file=sys.stderr)
        raise typer.Exit(3) from error


__all__ = ["open_desk", "told_plainly"]
