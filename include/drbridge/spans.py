"""Some of a file: stretches of its bytes, each from a start up to an end, in order and apart."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import BinaryIO, Protocol

Span = tuple[int, int]
Spans = Sequence[Span]


class OpenFile(Protocol):
    """Opens a file to stream its bytes: all of them, or those of some spans only, one after the other."""

    def __call__(self, spans: Spans | None = None, /) -> AbstractContextManager[Iterator[bytes]]: ...


def size_of(spans: Spans) -> int:
    """How many bytes they hold together."""
    return sum(end - start for start, end in spans)


def read_some(file: BinaryIO, spans: Spans, most: int) -> Iterator[bytes]:
    """The bytes of some spans of a file on disk, so many at once at most; fewer come where it ends before."""
    for start, end in spans:
        file.seek(start)
        while start < end and (chunk := file.read(min(most, end - start))):
            yield chunk
            start += len(chunk)


def placed(chunks: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """All pieces of a file, each with the place where it starts."""
    place = 0
    for chunk in chunks:
        yield place, chunk
        place += len(chunk)


def cut(pieces: Iterable[tuple[int, bytes]], spans: Spans) -> Iterator[bytes]:
    """The bytes of some spans.

    Args:
        pieces: parts of the file in order, each with the place where it starts; what lies between may be left out.
    """
    wanted = deque(spans)
    for place, piece in pieces:
        end = place + len(piece)
        while wanted and wanted[0][0] < end:
            start, stop = wanted[0]
            yield piece[max(0, start - place) : stop - place]
            if stop > end:
                break
            wanted.popleft()
