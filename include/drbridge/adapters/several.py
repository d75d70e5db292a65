"""Several places seen as one: a file may come by the content server or by the inbox, and its flow need not care."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager

from drbridge.errors import Unstable
from drbridge.ports import Entry, FileStore, Upload, UploadNote
from drbridge.spans import Spans


class SeveralPlaces:
    """A `FileStore` over others. A name that two of them have is the first one's, until that one is put away."""

    def __init__(self, places: Sequence[FileStore]) -> None:
        self._places = places
        self.url = " ".join(place.url for place in places)

    def list(self) -> list[Entry]:
        """What any place has; if one of them cannot be listed, nothing is known."""
        found: dict[str, Entry] = {}
        for place in self._places:
            for entry in place.list():
                found.setdefault(entry.name, entry)
        return list(found.values())

    def stat(self, name: str) -> Entry | None:
        """The file, or None when no place has it."""
        return next((entry for place in self._places if (entry := place.stat(name)) is not None), None)

    def ends_hash(self, name: str, size: int) -> str:
        """Hash of both ends."""
        return self._of(name).ends_hash(name, size)

    def open(self, name: str, spans: Spans | None = None) -> AbstractContextManager[Iterator[bytes]]:
        """Streams the file from where it is."""
        return self._of(name).open(name, spans)

    def upload(
        self, name: str, size: int | None = None, note: UploadNote | None = None
    ) -> AbstractContextManager[Upload]:
        """Into the first place."""
        return self._places[0].upload(name, size, note)

    def clear(self, before: float, begun: Collection[str]) -> int:
        """In all of them."""
        return sum(place.clear(before, begun) for place in self._places)

    def rename(self, old: str, new: str) -> None:
        """Where it is."""
        self._of(old).rename(old, new)

    def remove(self, name: str) -> None:
        """From where it is; one of the same name behind it stays."""
        for place in self._places:
            if place.stat(name) is not None:
                return place.remove(name)

    def close(self) -> None:
        """All of them."""
        for place in self._places:
            place.close()

    def _of(self, name: str) -> FileStore:
        for place in self._places:
            if place.stat(name) is not None:
                return place
        raise Unstable(f"{name} is not in {self.url} any more")
