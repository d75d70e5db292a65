"""Connections cut at every power of two of bytes: `python -m tests.faults.cuts` prints what came of it.

Each point is one journey with a proxy before one of its far sides. The line is reset, closed or falls silent after so
many bytes that went up or down; then the line is whole again and the schedule goes on waking the flow.
"""

from __future__ import annotations

import multiprocessing
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from functools import partial
from io import StringIO
from itertools import repeat
from pathlib import Path

import pytest

from drbridge.adapters import s3_client, s3_upload, sftp, sftp_session, sftp_transfer
from drbridge.adapters.http import HttpTarget
from drbridge.adapters.outside import ConnectionsOutside
from drbridge.exchange import send
from drbridge.ports import Connection, RestTarget
from drbridge_sandbox.sandbox import Sandbox
from tests.faults.journeys import (
    Ended,
    Journey,
    Road,
    acknowledgements,
    credits,
    enrollments,
    line_of,
    own_home,
    scores,
    stages,
)
from tests.faults.line import Line, table
from tests.faults.proxy import WAYS, Cut, Fault, How, Proxy, Way, proxied
from tests.flows.conftest import connection_of

HOWS: tuple[How, ...] = ("rst", "fin", "stall")
POWERS = range(31)
PROCESSES = 4  # twice the cores: a cut line is waited for more than it is worked on
DEADLINE_SECONDS = 1.0
SMALLEST_PART_BYTES = 5 << 20


@dataclass(frozen=True)
class Side:
    """One far side of a journey, which the proxy stands before.

    Attributes:
        conn_id: of the connection to it.
    """

    name: str
    journey: Journey
    conn_id: str

    def __str__(self) -> str:
        return self.name


SIDES = (
    Side("SFTP side of a source", enrollments(1_000), "dacs_files"),
    Side("SFTP side of a target", credits(1_000), "cis_files"),
    Side("S3 side of a source", acknowledgements(6), "ouai_objects"),
    Side("S3 side of a target", enrollments(1_000), "ouai_objects"),
    Side("S3 side of a target, in parts", enrollments(40_000), "ouai_objects"),
    Side("REST side, JSON calls", acknowledgements(6), "dacs_rest"),
    Side("REST side, a file in a form", scores(500), "derms_rest"),
    Side("REST side, messages in order", stages(), "dacs_rest"),
)


@dataclass(frozen=True)
class Point:
    """Where a line is cut, and whether it can be made anew at once or only when the run is over."""

    how: How
    way: Way
    after: int
    lasts: bool

    def fault(self) -> Fault:
        cut = Cut(self.how, self.after, lasts=self.lasts)
        return Fault(up=cut) if self.way == "up" else Fault(down=cut)

    def __str__(self) -> str:
        return f"{self.how} after {self.after} bytes {self.way}{', for the whole run' if self.lasts else ''}"


class Impatient(ConnectionsOutside):
    """The far sides with a deadline of less than a second for a call."""

    def target(self, conn_id: str) -> RestTarget:
        return HttpTarget(self._typed(conn_id, "http"), deadline=DEADLINE_SECONDS)


@contextmanager
def short_deadlines() -> Iterator[None]:
    """A silent line is given up in less than a second, messages are not waited for, and objects go in small parts."""
    with pytest.MonkeyPatch.context() as patch:
        for module, name in (
            (sftp, "STALL_SECONDS"), (sftp_transfer, "STALL_SECONDS"), (sftp_session, "CONNECT_SECONDS"),
            (sftp_session, "LOGIN_SECONDS"), (s3_client, "CONNECT_SECONDS"), (s3_client, "READ_SECONDS"),
        ):  # fmt: skip
            patch.setattr(module, name, DEADLINE_SECONDS)
        patch.setattr(s3_upload, "PART_BYTES", SMALLEST_PART_BYTES)
        patch.setattr(send, "LINGER_SECONDS", 0.0)
        yield


@contextmanager
def cut_road(side: Side, box: Sandbox, folder: Path) -> Iterator[tuple[Road, Proxy]]:
    """The side's journey with a proxy before the side."""
    known = connection_of(box, side.conn_id)
    with short_deadlines(), proxied("127.0.0.1", _port_of(known)) as proxy:

        def connection(conn_id: str) -> Connection:
            return _by_way_of(known, proxy.port) if conn_id == side.conn_id else connection_of(box, conn_id)

        yield Road(side.journey, box, folder, lambda inbox: Impatient(connection, inbox=inbox)), proxy


def _port_of(connection: Connection) -> int:
    return connection.port or int(str(connection.extra["endpoint_url"]).rpartition(":")[2])


def _by_way_of(connection: Connection, port: int) -> Connection:
    if connection.conn_type == "aws":
        return replace(connection, extra={**connection.extra, "endpoint_url": f"http://127.0.0.1:{port}"})
    return replace(connection, port=port)


def points(proxy: Proxy, powers: Iterable[int]) -> list[Point]:
    """Every power of two of the bytes that passed, each way, by each kind of cut; every second one lasts."""
    chosen = sorted(set(powers))
    return [
        Point(how, way, 2**power, lasts=(power + place) % 2 == 0)
        for way in WAYS for power in chosen if 2**power < proxy.passed[way] for place, how in enumerate(HOWS)
    ]  # fmt: skip


def try_point(road: Road, proxy: Proxy, point: Point) -> Ended | None:
    """One journey with its line cut once; None when no line carried so much."""
    proxy.drop()
    proxy.fault = Fault()
    desk = road.desk()
    road.journey.arrive(desk)
    proxy.fault = point.fault()
    road.journey.run(desk)
    struck = proxy.cuts > 0
    proxy.fault = Fault()
    ended = road.finish(desk)
    return ended if struck else None


def try_side(side: Side, box: Sandbox, folder: Path, powers: Iterable[int]) -> tuple[Line, list[str]]:
    """Cuts one side at every point; says what went wrong."""
    tried, ends, told = Counter[str](), list[Ended](), list[str]()
    with redirect_stdout(StringIO()), cut_road(side, box, folder) as (road, proxy):
        for point in points(proxy, powers):
            if (ended := try_point(road, proxy, point)) is None:
                continue
            tried[point.how] += 1
            ends.append(ended)
            told += [f"{side}, {point}: {ended.why}"] if ended.why else []
    note = ", ".join(f"{how} {tried[how]}" for how in HOWS)
    return line_of("cuts", f"{side}: {side.journey.name}", ends, note), told


def try_part(number: int, powers: Sequence[int]) -> list[tuple[Line, list[str]]]:
    """One worker's part: every fourth side, on a sandbox of its own."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="drbridge-cuts-")))
        stack.enter_context(own_home(folder))
        box = stack.enter_context(Sandbox(folder / "sandbox"))
        return [try_side(side, box, folder / side.name, powers) for side in SIDES[number::PROCESSES]]


def prove_cuts(say: Callable[[str], None] = print, powers: Iterable[int] = POWERS) -> list[Line]:
    """Cuts every side at every power of two of bytes, in four processes with a sandbox each.

    Args:
        powers: of two; those beyond what a journey carries are left out.
    """
    say("cuts: at every power of two of bytes; this takes some minutes")
    with ProcessPoolExecutor(PROCESSES, mp_context=multiprocessing.get_context("spawn")) as pool:
        tried = [each for part in pool.map(try_part, range(PROCESSES), repeat(list(powers))) for each in part]
    for what in (what for _, told in tried for what in told):
        say(what)
    return [line for line, _ in tried]


if __name__ == "__main__":
    proven = prove_cuts(partial(print, flush=True))
    print(table(proven))
    sys.exit(not all(line.holds for line in proven))
