"""One round of the soak: a day under faults, then the time until everything is whole again without a hand."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random
from threading import Thread

from tests.faults.soak.faults import draw
from tests.faults.soak.play import Play
from tests.faults.soak.stage import Stage, say, until_done
from tests.faults.soak.storm import Storm
from tests.faults.soak.verdict import Verdict, judge, rows_and_effects, some

FIRST_DAY = date(2026, 10, 1)
DEVICES = (200, 400)
STORM_SECONDS = 240
WHOLE_WITHIN_SECONDS = 300.0
GIVE_UP_AFTER_SECONDS = 1_500.0
LOOK_EVERY_SECONDS = 3.0
SECOND_LOOK_AFTER_SECONDS = 10.0


@dataclass(frozen=True)
class Round:
    """What a round came to.

    Attributes:
        faults: kind and target of each, and in words with its moment.
        ends: how many parcels ended in which state.
        whole_after: the longest time, in seconds, that an act or the end of the day took to be whole after it was
            posted and the last fault was over; None: that never came.
        seconds: that the whole round took.
        megabytes: of memory that Airflow's processes took at its end, and that the workers of killed schedulers took.
    """

    number: int
    day: date
    devices: int
    faults: list[tuple[str, str]]
    rows: int = 0
    effects: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    verdict: Verdict = field(default_factory=Verdict)
    whole_after: float | None = None
    seconds: float = 0.0
    megabytes: tuple[float, float] = (0.0, 0.0)

    @property
    def good(self) -> bool:
        return self.whole_after is not None and self.whole_after <= WHOLE_WITHIN_SECONDS and self.verdict.good

    def __str__(self) -> str:
        counts = ", ".join(f"{count} {kind}" for kind, count in self.verdict.counts.items()) or "nothing lost or twice"
        whole = "NOT WHOLE" if self.whole_after is None else f"whole after {self.whole_after:.0f} s"
        return (
            f"round {self.number}: {self.day}, {len(self.faults)} faults, {self.rows} rows, {self.effects} effects, "
            f"{counts}, {whole}, {self.seconds:.0f} s, {self.megabytes[0]:.0f} MB"
        )


def live(stage: Stage, number: int, seed: int) -> Round:
    """Lives one day."""
    random = Random(f"soak {seed} {number}")
    devices, day = random.randrange(*DEVICES), FIRST_DAY + timedelta(days=number)
    say(f"round {number}: {day} with {devices} devices")
    play, troubles = Play(stage, number, seed + number, devices, day), Verdict()
    storm = Storm(stage, draw(random, STORM_SECONDS))
    player = Thread(target=_run, args=(play, troubles), daemon=True)
    player.start()
    whole_after = _until_whole(stage, play, storm, player)
    time.sleep(SECOND_LOOK_AFTER_SECONDS)
    verdict = _judged(stage, play)
    verdict.texts += [*troubles.texts, *(f"not come: {text}" for text in play.unfinished)]
    for text in verdict.texts:
        say(f"  {text}")
    rows, effects, ends = rows_and_effects(stage, play.day, play.messages, play.since)
    return Round(
        number, day, devices, [(fault.name, f"{at:.0f} s: {fault}") for at, fault in storm.done], rows, effects, ends,
        verdict, whole_after, time.monotonic() - play.started, stage.megabytes(),
    )  # fmt: skip


def _run(play: Play, troubles: Verdict) -> None:
    try:
        play.run()
    except Exception as error:
        troubles.note("otherwise wrong", 1, f"the day ended early: {error!r}")


def _until_whole(stage: Stage, play: Play, storm: Storm, player: Thread) -> float | None:
    """Carries the faults, then waits until nothing differs; returns the longest time that anything took."""
    looked_at = 0.0
    while True:
        storm.step()
        time.sleep(0.3)
        if storm.over_at is None:
            continue
        now, over_at = time.monotonic(), storm.over_at
        if not player.is_alive() and now - looked_at > LOOK_EVERY_SECONDS:
            left, looked_at = _differences(stage, play), now
            if not left:
                last_post_at = max((posted for posted, _ in play.waits), default=play.started)
                return max(done - max(over_at, posted) for posted, done in [*play.waits, (last_post_at, now)])
            say(f"  {now - play.started:4.0f} s  left: {some(left, 2):.300}")
        if now - over_at > GIVE_UP_AFTER_SECONDS:
            play.stopped = True
            player.join(60)
            return None


def _differences(stage: Stage, play: Play) -> list[str]:
    """What differs now; a server that is coming back cannot be asked yet."""
    try:
        return judge(stage, play.day, play.messages).texts
    except Exception as error:
        return [repr(error)]


def _judged(stage: Stage, play: Play) -> Verdict:
    found: list[Verdict] = []
    until_done(lambda: found.append(judge(stage, play.day, play.messages)), 60.0)
    return found[0]
