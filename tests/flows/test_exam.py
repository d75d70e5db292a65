"""The exam: every file flow passes it at each of its destinations, on real SFTP, S3 and REST servers."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from drbridge.exchange.desk import Desk
from drbridge.exchange.work import Work
from drbridge.ledger import deliveries
from drbridge.ledger.deliveries import Balance
from drbridge.ledger.tables import leases
from drbridge.systems import Flow, Store
from drbridge_sandbox.sandbox import Sandbox
from tests.flows.chain import NOW, run
from tests.flows.conftest import SAMPLES, run_until_killed
from tests.flows.control_records import record_of
from tests.flows.flow_table import CANDIDATES, Candidate
from tests.flows.more_rows import many_rows
from tests.flows.outsides import Unplugged

NOUN_THERE = {
    "derms_device_score": "device_score",
    "derms_load_forecast": "load_forecast",
    "derms_customers/C1-DCTEX": "customer",
    "derms_customers/C1-DSPEX": "service_point",
    "derms_customers/C1-DMSEX": "service_agreement",
    "dacs_sync_request": "sync_request",
    "dacs_event_outcome": "event_outcome",
}


@dataclass
class Exam:
    """One candidate in front of its servers."""

    candidate: Candidate
    desk: Desk
    box: Sandbox

    @property
    def sample(self) -> Path:
        return SAMPLES / self.candidate.sample

    @property
    def flow(self) -> Flow:
        return self.desk.systems.flow(self.candidate.flow)

    @property
    def source(self) -> str:
        return self.flow.places[0]

    @property
    def delimiter(self) -> bytes:
        return self.flow.delimiter.encode()

    @property
    def store(self) -> Store | None:
        destination = self.desk.systems.destination(self.candidate.destination)
        return destination if isinstance(destination, Store) else None

    def drop(self, data: bytes | None = None, name: str | None = None) -> str:
        """Lays the sample into the flow's source, and what belongs to it: a control record, or requests in DACS."""
        name, data = name or self.sample.name, self.sample.read_bytes() if data is None else data
        if self.candidate.destination == "dacs_sync_request":
            rows = csv.DictReader(data.decode().splitlines())
            self.box.far("dacs").seed([row["syncRequestId"] for row in rows])
        if self.flow.control_record:
            self.box.drop(self.source, name + self.flow.control_record, record_of(name, data))
        self.box.drop(self.source, name, data)
        return name

    def run(self, work: Work = NOW) -> dict[str, str]:
        return {name: verdict.state for name, verdict in run(self.desk, self.candidate.flow, work).items()}

    def calls(self) -> int:
        """Requests that the far side has heard at this destination, or objects that lie there."""
        if self.candidate.far is None:
            return len(self.there())
        return len(self.requests())

    def requests(self) -> list[dict[str, Any]]:
        """The far side's log of requests to this destination."""
        assert self.candidate.far is not None
        path = self.desk.systems.endpoints[self.candidate.destination].path.partition("{")[0]
        return [request for request in self.box.far(self.candidate.far).requests() if path in request["path"]]

    def there(self) -> dict[str, bytes]:
        """The files at the destination; each has its control record, where one is agreed."""
        assert self.store is not None
        found, record = self.box.files(self.store.url), self.flow.control_record
        files = {name: data for name, data in found.items() if not record or not name.endswith(record)}
        assert not record or found.keys() - files.keys() == {name + record for name in files}
        return files

    def effects(self) -> dict[str, int]:
        """Effects by key at the far side."""
        assert self.candidate.far is not None
        destination, kind = self.candidate.destination, self.sample.name.partition("_")[0]
        noun = NOUN_THERE.get(destination) or NOUN_THERE[f"{destination}/{kind}"]
        found = self.box.far(self.candidate.far).effects_of(noun)
        return {key: each["effects"] for key, each in found.items()}

    def book(self) -> Balance:
        """The newest delivery's book; it always balances."""
        with self.desk.ledger.read() as tx:
            rows = tx.execute(deliveries.with_intakes(flow=self.candidate.flow)).all()
            mine = [row.id for row in rows if row.destination == self.candidate.destination]
            book = deliveries.balances(tx, mine[-1:])[mine[-1]]
        assert book.balances
        return book

    def assert_delivered_once(self, accepted: int) -> None:
        """The far side holds what it should, and each thing took effect once."""
        if self.store is not None:
            assert [hashlib.sha256(data).hexdigest() for data in self.there().values()] == [
                hashlib.sha256(self.sample.read_bytes()).hexdigest()
            ]
            return
        effects = self.effects()
        assert len(effects) == accepted
        assert set(effects.values()) == {1}

    def many(self, rows: list[bytes]) -> list[bytes]:
        """At least 20 good rows, so that a bad one is below the threshold: the sample's, and copies with other keys."""
        noun = self.candidate.sample.partition("/")[0]
        return many_rows(noun, rows, delimiter=self.delimiter)

    def rejects(self) -> bytes:
        """The rejects file beside the source."""
        found = self.box.files(f"{self.source}/rejects")
        if found:
            return next(iter(found.values()))
        staged = next(self.desk.staging.root.glob("*/*/*/rejects.csv"))
        return staged.read_bytes()

    @contextmanager
    def far_side_down(self) -> Iterator[None]:
        """The destination refuses connections for a while."""
        if self.candidate.far is not None:
            self.box.far(self.candidate.far).down()
            yield
            self.box.far(self.candidate.far).up()
            return
        store = self.store
        assert store is not None
        reachable = self.desk
        self.desk = replace(reachable, outside=Unplugged(reachable.outside, store.url))
        yield
        self.desk = reachable

    def free_the_lanes(self) -> None:
        """The leases of the killed worker run out."""
        with self.desk.ledger.write() as tx:
            tx.execute(update(leases).values(expires_at=0.0))


@pytest.fixture(params=[pytest.param(each, id=str(each)) for each in CANDIDATES])
def exam(request: pytest.FixtureRequest, desk: Desk, box: Sandbox) -> Exam:
    return Exam(request.param, desk, box)


def test_delivers_the_golden_sample(exam: Exam) -> None:
    name = exam.drop()
    assert exam.run()[name] == "settled"
    book = exam.book()
    assert book.acked == book.rows > 0
    exam.assert_delivered_once(book.acked)


def test_again_makes_no_call(exam: Exam) -> None:
    exam.drop()
    exam.run()
    calls = exam.calls()
    assert calls > 0
    exam.run()
    exam.drop()
    exam.drop(name=f"{exam.sample.stem}9{exam.sample.suffix}")
    verdicts = exam.run()
    assert exam.calls() == calls
    assert set(verdicts.values()) == {"settled"}


def test_bad_rows_are_set_aside_and_good_ones_delivered(exam: Exam) -> None:
    header, *rows = exam.sample.read_bytes().splitlines(keepends=True)
    bad = rows[0].rsplit(exam.delimiter, 2)[0] + b"\n"
    good = exam.many(rows)
    data = header + b"".join(good) + bad
    exam.drop(data)
    exam.run()
    book = exam.book()
    lines = [line.split(b",")[0] for line in exam.rejects().splitlines()[1:]]
    assert lines[0] == str(len(good) + 2).encode()
    if exam.store is not None:
        assert list(exam.there().values()) == [data]
        assert (book.acked, book.flagged) == (len(good) + 1, 1)
    else:
        assert (book.acked, book.rejected) == (len(good), 1)
        assert set(exam.effects().values()) == {1}
        assert len(exam.effects()) == len(good)


def test_other_side_down_then_back_is_delivered_once(exam: Exam) -> None:
    name = exam.drop()
    with exam.far_side_down():
        assert exam.run(Work())[name] == "open"
        assert exam.run(Work())[name] == "open"
        assert name in exam.box.files(exam.source)
        assert exam.book().open == exam.book().rows
    verdicts = exam.run()
    assert verdicts[name] == "settled"
    exam.assert_delivered_once(exam.book().acked)


@pytest.mark.parametrize("exam", [each for each in CANDIDATES if each.far], ids=str, indirect=True)
def test_other_side_answers_503_for_long_then_is_back_is_delivered_once(exam: Exam) -> None:
    name = exam.drop()
    far = exam.box.far(str(exam.candidate.far))
    far.fault("status", status=503)
    for _ in range(exam.desk.systems.endpoints[exam.candidate.destination].max_tries + 1):
        assert exam.run()[name] == "open"
    far.no_faults()
    assert exam.run()[name] == "settled"
    exam.assert_delivered_once(exam.book().acked)


def test_killed_between_send_and_note_is_delivered_once(exam: Exam, tmp_path: Path) -> None:
    name = exam.drop()
    step = "send" if exam.store is None else "relay"
    run_until_killed(exam.box, tmp_path, exam.candidate.flow, step)
    assert exam.calls() > 0, "it was killed before it sent anything"
    exam.free_the_lanes()
    assert exam.run()[name] == "settled"
    book = exam.book()
    assert book.acked == book.rows
    exam.assert_delivered_once(book.acked)


@pytest.mark.parametrize("exam", [each for each in CANDIDATES if each.answers], ids=str, indirect=True)
def test_the_answer_reaches_the_sender(exam: Exam) -> None:
    name = exam.drop()
    exam.run()
    answers = exam.box.far("derms").effects_of("ack")
    assert len(answers) == 1
    message_id = name.removesuffix(".csv").rsplit("_", 1)[1]
    ((key, answer),) = answers.items()
    assert key == message_id
    assert "SUCCESS" in answer["value"]
    assert answer["effects"] == 1


def test_reprocessed_by_hand_goes_again_under_a_new_key(exam: Exam) -> None:
    name = exam.drop()
    exam.run()
    calls = exam.calls()
    exam.run(Work(run="exam/1", who="kim", file=name, resend="all", by_hand=True))
    if exam.store is None:
        assert exam.calls() > calls
        keys = [request["idempotency_key"] for request in exam.requests()]
        assert len(keys) == len(set(keys))
    book = exam.book()
    assert book.acked == book.rows


def test_a_dry_run_sends_nothing(exam: Exam) -> None:
    exam.drop()
    exam.run(Work(by_hand=True, dry_run=True))
    assert exam.calls() == 0
