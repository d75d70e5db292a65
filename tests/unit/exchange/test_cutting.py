"""Large files are cut in shares: row ranges that follow each other, more of them than senders."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from drbridge.exchange.cutting import ROWS_WORTH_A_SHARE, spans
from drbridge.ledger.leases import MOST_SHARES
from drbridge.ledger.parcels import Span
from drbridge.systems import DEFAULT_FILE, Endpoint, load

OUTCOMES = load(DEFAULT_FILE).endpoints["dacs_event_outcome"]
MOST_SENDERS = 32
ROWS_OF_A_PART = 3_333


def cut(rows: int, senders: int, refused: int = 0) -> list[Span]:
    """The parcels of a file of which the first so many rows were refused."""
    endpoint: Endpoint = OUTCOMES.model_copy(update={"senders": senders})
    live = pl.DataFrame({"row": pl.Series(range(refused, rows), dtype=pl.UInt32)})
    parts = list(enumerate(live.iter_slices(ROWS_OF_A_PART)))
    staged = cast(Any, SimpleNamespace(manifest=SimpleNamespace(rows=rows), frames=lambda *_, columns: iter(parts)))
    return list(spans(staged, endpoint))


def test_small_file_is_one_share() -> None:
    assert {each.share for each in cut(2 * ROWS_WORTH_A_SHARE - 1, senders=4)} == {0}


def test_file_of_one_sender_is_one_share_however_large() -> None:
    assert {each.share for each in cut(100 * ROWS_WORTH_A_SHARE, senders=1)} == {0}


def test_large_file_has_a_share_for_each_sender() -> None:
    found = [each.share for each in cut(100 * ROWS_WORTH_A_SHARE, senders=4)]
    assert set(found) == set(range(4))
    sizes = [found.count(share) for share in set(found)]
    assert max(sizes) - min(sizes) <= 1


def test_no_share_is_without_a_lease_of_its_own() -> None:
    most = max(each.share for each in cut(200 * ROWS_WORTH_A_SHARE, senders=MOST_SENDERS))
    assert most == MOST_SENDERS - 1 <= MOST_SHARES - 1
    assert Endpoint.model_fields["senders"].metadata[-1].le == MOST_SENDERS


@settings(max_examples=25, deadline=None, derandomize=True)
@given(rows=st.integers(1, 60 * ROWS_WORTH_A_SHARE), senders=st.integers(1, 8), share=st.floats(0, 0.9))
def test_shares_follow_each_other_and_hold_every_row_once(rows: int, senders: int, share: float) -> None:
    refused = int(rows * share)
    found = cut(rows, senders, refused)
    assert sum(each.rows for each in found) == rows - refused
    assert all(earlier.last < later.first for earlier, later in zip(found, found[1:], strict=False))
    in_order = [each.share for each in found]
    assert in_order == sorted(in_order)
