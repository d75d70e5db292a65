"""An act of a day's play: what the other systems post at once, and what the far side must hold before the next one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from drbridge_sandbox.day.prediction import Prediction, together
from drbridge_sandbox.sandbox import Sandbox

Body = dict[str, Any]
ONE_ACKED = {"acked": 1}


@dataclass(frozen=True)
class Post:
    """A message of DACS or the DERMS.

    Attributes:
        noun: of the message; it says to which path it goes.
        body: its JSON; none where a file is all there is.
        file: name and content of the file beside it.
        reply: acknowledgement type, requests taken, requests refused; its sender waits for them in the same call.
    """

    noun: str
    body: Body | None = None
    file: tuple[str, bytes] | None = None
    reply: tuple[str, int, int] | None = None


@dataclass
class Act:
    """What is posted at once.

    Attributes:
        late: paths of the DERMS that say yes or no only later, during this act.
        seeds: of each system, the sync requests that wait for a verdict.
        planted: (system, kind) to what the system knows without having been told.
        deleted: (system, kind) to what somebody deletes there; no message speaks of it, only a comparison finds it.
        expected: by noun, what must come of the posts.
        books: by noun, how many requests must end acked, rejected, superseded, or be duplicates.
    """

    title: str
    posts: list[Post] = field(default_factory=list)
    late: tuple[str, ...] = ()
    seeds: dict[str, list[str]] = field(default_factory=dict)
    planted: dict[tuple[str, str], dict[str, Body]] = field(default_factory=dict)
    deleted: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    expected: dict[str, Prediction] = field(default_factory=dict)
    books: dict[str, Counter[str]] = field(default_factory=dict)

    def post(
        self, noun: str, body: Body, *, file: tuple[str, bytes] | None = None,
        reply: tuple[str, int, int] | None = None, ends: Mapping[str, int] = ONE_ACKED,
    ) -> None:  # fmt: skip
        """One more post.

        Args:
            ends: how many of its requests must end how.
        """
        self.posts.append(Post(noun, body, file, reply))
        self.books.setdefault(noun, Counter()).update(ends)

    def expect(
        self, noun: str, *, effects: Mapping[tuple[str, str], Mapping[str, str]] | None = None,
        records: Mapping[tuple[str, str], Mapping[str, Mapping[str, Any]]] | None = None,
        acks: Mapping[str, str] | None = None, steps: Mapping[str, Sequence[str]] | None = None,
        keys: Mapping[tuple[str, str], int] | None = None,
    ) -> None:  # fmt: skip
        """What must come of a post of this noun: see `Prediction`."""
        more = Prediction((), effects or {}, keys or {}, acks or {}, records or {}, steps or {})
        self.expected[noun] = together(self.expected.get(noun, Prediction(())), more)

    @property
    def prediction(self) -> Prediction:
        """What must be there when the act is over."""
        return together(*self.expected.values())

    def prepare(self, box: Sandbox) -> None:
        """Lets the far side know what it must before the posts come."""
        for system, ids in self.seeds.items():
            box.far(system).seed(ids)
        for (system, kind), values in self.planted.items():
            box.far(system).plant(kind, values)
        for (system, kind), ids in self.deleted.items():
            box.far(system).uproot(kind, ids)
        for path in self.late:
            box.far("derms").fault("late", path=path)

    def end(self, box: Sandbox) -> None:
        """Lets the DERMS answer at once again."""
        if self.late:
            box.far("derms").no_faults()


@dataclass(frozen=True)
class Messages:
    """The messages of a day, act by act."""

    acts: tuple[Act, ...]

    @property
    def prediction(self) -> Prediction:
        """What must have come of all of them at the end of the day."""
        return together(*(act.prediction for act in self.acts))

    def prediction_of(self, nouns: set[str]) -> Prediction:
        """What must have come of those of some nouns."""
        return together(*(each for act in self.acts for noun, each in act.expected.items() if noun in nouns))

    def book_of(self, noun: str) -> Counter[str] | None:
        """How the requests of a noun must have ended; None when there were none, or a file carries them."""
        found = [act.books[noun] for act in self.acts if noun in act.books]
        return sum(found, Counter()) if found else None
