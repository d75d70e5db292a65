"""Kill sweeps: see `tests.faults.kills.sweep`."""

from tests.faults.kills.sweep import prove_kills

__all__ = ["prove_kills"]
