"""A few stories of each kind, the same ones each time; `python -m tests.faults.search stateful` tells more."""

from __future__ import annotations

import pytest

from tests.faults.search.invariants import Violation
from tests.faults.search.shared import shared
from tests.faults.search.stateful import in_memory, tell
from tests.faults.variants import without
from tests.postgres import find_binaries

ON_SQLITE, ON_POSTGRESQL, UNTIL_CAUGHT = 12, 5, 40


def test_no_story_breaks_an_invariant_on_sqlite() -> None:
    tell(ON_SQLITE, in_memory)


def test_no_story_breaks_an_invariant_on_postgresql() -> None:
    if find_binaries() is None:
        pytest.skip("PostgreSQL is not installed here")
    with shared() as book:
        tell(ON_POSTGRESQL, book.emptied)


def test_a_story_catches_workers_without_a_fence() -> None:
    with without("no fence"), pytest.raises(Violation):
        tell(UNTIL_CAUGHT, in_memory)
