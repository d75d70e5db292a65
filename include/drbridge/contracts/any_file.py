"""A file of any kind: it travels as it is, and nothing in it is looked at."""

from __future__ import annotations

from drbridge.contracts.contract import Contract
from drbridge.contracts.rows import Row


class AnyFile(Row):
    """No row is read."""


CONTRACT = Contract(noun="any_file", title="A file of any kind", prefixes=(), model=AnyFile, key=())
