"""Stretches of a file's bytes: all of them come, in order, and never more at once than was agreed."""

from __future__ import annotations

import io

from drbridge.spans import cut, placed, read_some, size_of

DATA = bytes(range(256)) * 4
SPANS = [(0, 1), (3, 500), (501, 502), (700, 1024)]
WANTED = b"".join(DATA[start:end] for start, end in SPANS)


def test_a_long_span_is_read_in_small_pieces() -> None:
    pieces = list(read_some(io.BytesIO(DATA), SPANS, 100))
    assert b"".join(pieces) == WANTED
    assert max(map(len, pieces)) == 100


def test_where_a_file_ends_before_fewer_bytes_come() -> None:
    assert b"".join(read_some(io.BytesIO(DATA[:600]), SPANS, 100)) == DATA[:1] + DATA[3:500] + DATA[501:502]


def test_spans_are_cut_out_of_pieces_of_any_size() -> None:
    for size in (1, 7, 256, 5_000):
        chunks = (DATA[start : start + size] for start in range(0, len(DATA), size))
        assert b"".join(cut(placed(chunks), SPANS)) == WANTED
    assert size_of(SPANS) == len(WANTED)
