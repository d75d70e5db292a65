"""Stories drawn by Hypothesis, longer and wilder than a search can go through: on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from drbridge.exchange.resend import reopen
from drbridge.exchange.work import Resend, Work
from drbridge.ledger.parcels import IN_DOUBT
from tests.faults.search.ending import ends
from tests.faults.search.play import Play, Step, crashes, passes
from tests.faults.search.rig import Book, Memory, Time, by_hand
from tests.faults.search.worlds import CHANGES, ONE, OTHER, STAGES, Arrival, World, begun_in, changes, stages

STEPS_OF_A_STORY = 40
WITHOUT_END = 1_000
PAUSES = (1.0, 2.0, 5.0, 31.0, 70.0, 91.0, 901.0)

ENROLLMENTS: tuple[Arrival, ...] = tuple(
    changes((f"{hour}{place}", hour, about)) for place, about in enumerate((ONE, OTHER)) for hour in (8, 9, 10)
)
STATUSES: tuple[Arrival, ...] = tuple(
    stages((letter, minute, about)) for about in ("1", "2") for minute, letter in enumerate("SPC")
)
MESSAGES = {"resend": (CHANGES, ENROLLMENTS), "query": (STAGES, STATUSES), "park": (CHANGES, ENROLLMENTS)}


Opened = Callable[[], AbstractContextManager[tuple[Book, Time]]]


class Story(RuleBasedStateMachine):
    """Two workers and whatever may happen to them.

    Attributes:
        opened: gives an empty ledger and its clock.
    """

    opened: Opened

    def __init__(self) -> None:
        super().__init__()
        self.until_the_end = ExitStack()
        self.until_the_end.enter_context(by_hand())
        self.resent = 0

    @initialize(policy=st.sampled_from(sorted(MESSAGES)), first=st.integers(0, 5))
    def begins(self, policy: str, first: int) -> None:
        flow, every = MESSAGES[policy]
        book, time = self.until_the_end.enter_context(type(self).opened())
        folder = Path(self.until_the_end.enter_context(TemporaryDirectory()))
        self.play = Play(begun_in(World("a story", policy, flow, every[first]), book, time, folder))
        self.state = self.play.first(WITHOUT_END)
        self.to_come = [each for each in every if each is not every[first]]

    @precondition(lambda self: self.to_come)
    @rule(which=st.integers(0, 5))
    def something_arrives(self, which: int) -> None:
        self.to_come.pop(which % len(self.to_come))(self.play.place.desk)
        self.play.begun.learn()
        self._note("something arrives")

    @rule(number=st.integers(0, 1), which=st.integers(0, 11))
    def anything_may_come_of_a_step(self, number: int, which: int) -> None:
        """A worker begins, takes over, writes and claims, looks, has a request answered, refused or lost, leaves."""
        if ways := self._ways(number):
            self.state = ways[which % len(ways)]()

    @rule(number=st.integers(0, 1), steps=st.integers(2, 8))
    def a_worker_goes_on_undisturbed(self, number: int, steps: int) -> None:
        for _ in range(steps):
            if ways := self._ways(number):
                self.state = ways[0]()

    def _ways(self, number: int) -> list[Step]:
        """Every way on of a worker; one that has ended may always begin again."""
        worker = self.state.workers[number].anew()
        ready = replace(self.state, workers=self.state.with_worker(number, worker))
        return list(self.play.of_worker(ready, number, worker))

    @rule(number=st.sampled_from((None, None, None, 0, 1)))
    def a_worker_may_crash(self, number: int | None) -> None:
        if number is not None:
            self.state = crashes(self.state, number)

    @rule(pause=st.sampled_from(PAUSES))
    def time_passes(self, pause: float) -> None:
        self.state = passes(self.state, pause)

    @rule(resend=st.sampled_from(("failed", "unknown")))
    def a_person_resends(self, resend: Resend) -> None:
        """What was refused; or what is in doubt, where the other side can tell a repetition or has nothing of it."""
        if resend == "unknown" and self._has_what_is_in_doubt():
            return
        self.resent += 1
        asked = Work(run=f"story/{self.resent}", who="kim", file="*", resend=resend, by_hand=True)
        reopen(self.play.place.desk, self.play.place.flow.name, asked)
        self._note(f"a person resends what is {resend}")

    def _has_what_is_in_doubt(self) -> bool:
        begun, far = self.play.begun, self.state.far
        look = (
            "select sha256, first_row from parcels join deliveries on deliveries.id = delivery_id "
            f"join intakes on intakes.id = intake_id where parcels.code = '{IN_DOUBT}' and parcels.state = 'PARKED'"
        )
        parked = [begun.wanted[sha, row].meaning for sha, row in begun.memory.rows(look)]
        return begun.world.policy == "park" and not set(parked).isdisjoint(far.effects)

    def _note(self, what: str) -> None:
        self.state = self.state.on(what, image=self.play.memory.take())

    def teardown(self) -> None:
        try:
            if hasattr(self, "state"):
                ends(self.play, self.state)
        finally:
            self.until_the_end.close()


@contextmanager
def in_memory() -> Iterator[tuple[Book, Time]]:
    """A ledger on SQLite."""
    time = Time()
    memory = Memory(time)
    yield memory, time
    memory.ledger.close()


def tell(examples: int, opened: Opened) -> None:
    """Draws so many stories, the same ones each time.

    Raises:
        Violation: of the first story that breaks an invariant.
    """
    kind = type("Story", (Story,), {"opened": staticmethod(opened)})
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        kind,
        settings=settings(
            max_examples=examples, stateful_step_count=STEPS_OF_A_STORY, derandomize=True, deadline=None, database=None,
            phases=(Phase.generate,), report_multiple_bugs=False, suppress_health_check=list(HealthCheck),
            print_blob=False,
        ),
    )  # fmt: skip
