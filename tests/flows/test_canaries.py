"""No personal data and no secret leaves the seal: canaries in every field, looked for everywhere."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from pydantic import ValidationError
from sqlalchemy import insert, select, update
from typer.testing import CliRunner

from drbridge.adapters.outside import ConnectionsOutside, connection_from_json
from drbridge.cli import app
from drbridge.contracts import MESSAGES
from drbridge.errors import DrBridgeError
from drbridge.exchange import notices
from drbridge.exchange.accept import accept, read
from drbridge.exchange.desk import Desk
from drbridge.exchange.notices import Failure
from drbridge.exchange.results import result_of
from drbridge.exchange.send import answer, send
from drbridge.exchange.work import Work
from drbridge.inbox.problems import flaws
from drbridge.ledger import notices as ledger_notices
from drbridge.ledger.tables import audit, messages, parcels, targets
from drbridge.systems import Notify
from drbridge_sandbox.sandbox import Sandbox
from tests.flows.canaries import ECHOES, Cage, Parrot, ledger_text, parrot, planted, planted_row, spoilt, spoilt_files
from tests.flows.chain import NOW, run
from tests.flows.conftest import SAMPLES
from tests.flows.flow_table import CANDIDATES, Candidate
from tests.unit.good_rows import GOOD

SETTINGS = Notify(mail="smtp_default", to=("owner@utility.example",), base_url="https://airflow.example")
cli = CliRunner()


@dataclass
class Scene:
    """A desk whose REST targets are parrots, and everything that was said outside the ledger."""

    desk: Desk
    folder: Path
    cage: Cage
    bird: Parrot
    log: pytest.LogCaptureFixture

    def __post_init__(self) -> None:
        self.said: list[str] = []

    @property
    def flows(self) -> dict[str, str]:
        """The flows of messages that are on, by the noun they take."""
        found = {each.message: each.name for each in self.desk.systems.flows.values() if each.message}
        assert len(found) >= 11
        return found

    def post(self, *nouns: str) -> list[str]:
        posts = [read(noun, planted(self.cage, noun), "derms") for noun in nouns or self.flows]
        return [receipt.number for receipt in accept(self.desk, posts)]

    def work(self, work: Work = NOW) -> None:
        """Every flow sends and answers; what its tasks would return and raise is kept, and told to the owners."""
        for flow in self.flows.values():
            for step in (send, answer):
                try:
                    self.said.append(json.dumps(step(self.desk, flow, work).as_dict()))
                except DrBridgeError as error:
                    self.said += [str(error), repr(error), error.detail]
                    notices.of_failure(self.desk, Failure(flow, step.__name__, error, calls_targets=True))
        with self.desk.ledger.write() as tx:
            tx.execute(update(targets).values(open_until=0.0, not_before=0.0))

    def tell_of(self, numbers: list[str]) -> None:
        """What senders, owners and operators are shown."""
        for number in numbers:
            found = result_of(self.desk, number)
            assert found is not None
            told = found.as_dict()
            told.get("MsgAck", {}).pop("messageId", None)  # the sender's own number, told to nobody but the sender
            self.said.append(json.dumps(told))
            self.said.append(cli.invoke(app, ["trace", number]).output)
        for command in (["list"], ["list", "--json"], ["balance"], ["audit"]):
            self.said.append(cli.invoke(app, ["ledger", *command]).output)
        with self.desk.ledger.read() as tx:
            rows = tx.execute(select(parcels.c.delivery_id, parcels.c.code, parcels.c.state).distinct()).all()
        for row in rows:
            shown = cli.invoke(app, ["ledger", "show", str(row.delivery_id)])
            assert shown.exit_code == 0
            self.said.append(shown.output)
            if row.state in ("REJECTED", "PARKED"):
                with self.desk.ledger.write() as tx:
                    notices.of_message(self.desk, tx, "a_flow", str(row.delivery_id), row.code, "look")

    def leaks(self) -> dict[str, str]:
        """The canaries that are anywhere outside the seal, with what stands around them."""
        return self.cage.found_in([*self.said, self.log.text, *ledger_text(self.desk, self.folder)])

    def states(self) -> set[str]:
        with self.desk.ledger.read() as tx:
            return set(tx.execute(select(parcels.c.state)).scalars())


@pytest.fixture
def scene(
    desk: Desk, box: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> Iterator[Scene]:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("DRBRIDGE_LEDGER_URL", desk.ledger.url)
    monkeypatch.setenv("DRBRIDGE_STAGING", (tmp_path / "staging").as_uri())
    monkeypatch.setenv("COLUMNS", "500")
    cage = Cage()
    with parrot() as bird:
        known = box.connections()
        for system in ("dacs", "derms", "ccs"):
            known[f"{system}_rest"] = {
                "conn_type": "http", "schema": "http", "host": "127.0.0.1", "port": bird.server_address[1],
                "login": "drbridge", "password": cage.secret(), "extra": {"auth": "basic"},
            }  # fmt: skip
        outside = ConnectionsOutside(
            lambda name: connection_from_json(name, json.dumps(known[name])), inbox=desk.staging.inbox
        )
        systems = desk.systems.model_copy(update={"notify": SETTINGS})
        yield Scene(replace(desk, systems=systems, outside=outside), tmp_path, cage, bird, caplog)


@pytest.mark.parametrize("echo", [*ECHOES, ""])
def test_messages_that_a_far_side_repeats_in_its_answer(scene: Scene, echo: str) -> None:
    scene.bird.echo = echo
    numbers = scene.post()
    scene.work()
    scene.work()
    scene.tell_of(numbers)
    assert len(scene.cage.known) > 200
    assert scene.leaks() == {}


def test_messages_that_wait_for_a_person(scene: Scene) -> None:
    endpoints = {
        name: each.model_copy(update={"unknown": "park"}) for name, each in scene.desk.systems.endpoints.items()
    }
    scene.desk = replace(scene.desk, systems=scene.desk.systems.model_copy(update={"endpoints": endpoints}))
    scene.bird.echo = "in a crash"
    numbers = scene.post()
    scene.work()
    scene.work()
    scene.tell_of(numbers)
    assert "PARKED" in scene.states()
    assert scene.leaks() == {}


def test_messages_that_a_newer_one_overtakes(scene: Scene) -> None:
    newer = planted(scene.cage, "enrollment_change")
    older = newer | {"syncRequestId": "7", "changeDateTime": "2020-01-01T00:00:00Z"}
    for each in (newer, older):
        accept(scene.desk, [read("enrollment_change", each, "dacs")])
        scene.work()
    scene.tell_of([])
    assert "SUPERSEDED" in scene.states()
    assert scene.leaks() == {}


@pytest.mark.parametrize("noun", [noun for noun in MESSAGES if noun != "posted_file"])
def test_messages_that_are_refused_on_arrival(scene: Scene, noun: str) -> None:
    for data in spoilt(scene.cage, noun):
        with pytest.raises(ValidationError) as refused:
            read(noun, data, "derms")
        scene.said += [str(refused.value), repr(refused.value), json.dumps(flaws(refused.value))]
    assert len(scene.said) > 20
    assert scene.leaks() == {}


def test_a_stored_message_that_this_version_cannot_read(scene: Scene) -> None:
    numbers = scene.post()
    with scene.desk.ledger.write() as tx:
        for row in tx.execute(select(messages)).all():
            content = json.loads(scene.desk.seal.open(row.sealed))
            content = {name: [value] for name, value in content.items()}
            sealed = scene.desk.seal.close(json.dumps(content).encode())
            tx.execute(update(messages).where(messages.c.id == row.id).values(sealed=sealed))
    scene.work()
    scene.tell_of(numbers)
    assert any("is not as this version of drbridge reads it" in text for text in scene.said)
    assert scene.leaks() == {}


@pytest.mark.parametrize("candidate", [each for each in CANDIDATES if each.far], ids=str)
@pytest.mark.parametrize("echo", ["as it came", ""])
def test_files_whose_rows_a_far_side_repeats(scene: Scene, box: Sandbox, candidate: Candidate, echo: str) -> None:
    sample = SAMPLES / candidate.sample
    noun = candidate.sample.partition("/")[0]
    row = planted_row(scene.cage, noun, dict(GOOD[noun]))
    assert len(scene.cage.known) > 6
    flow = scene.desk.systems.flow(candidate.flow)
    text = "\n".join((flow.delimiter.join(row), flow.delimiter.join(row.values()), ""))
    box.drop(flow.places[0], sample.name, text.encode())
    scene.bird.echo = echo
    for _ in range(2):
        scene.said += [repr(each) for each in run(scene.desk, candidate.flow).values()]
    scene.tell_of([])
    assert scene.states(), scene.said
    assert scene.leaks() == {}


@pytest.mark.parametrize("candidate", CANDIDATES, ids=str)
def test_files_with_a_canary_where_none_belongs(scene: Scene, box: Sandbox, candidate: Candidate) -> None:
    sample = SAMPLES / candidate.sample
    noun = candidate.sample.partition("/")[0]
    good = sample.read_text(encoding="utf-8")
    flow = scene.desk.systems.flow(candidate.flow)
    for number, rows in enumerate(spoilt_files(scene.cage, dict(GOOD[noun]), flow.delimiter)):
        name = sample.name.replace(".csv", f"{number}.csv")
        box.drop(flow.places[0], name, (good + rows).encode())
    scene.said += [repr(each) for each in run(scene.desk, candidate.flow).values()]
    scene.tell_of([])
    assert scene.leaks() == {}


@pytest.mark.parametrize("place", ["ledger", "log", "result", "notice", "wal"])
def test_the_search_finds_a_canary_that_was_let_out_on_purpose(scene: Scene, place: str) -> None:
    numbers = scene.post("event_status")
    canary = scene.cage.secret()
    with scene.desk.ledger.write() as tx:
        if place == "ledger":
            tx.execute(update(parcels).values(text=f"customer {canary.upper()} is unknown"))
        if place == "notice":
            ledger_notices.add(
                tx, "k", ["mail"], kind="error", flow="f", what=canary, subject="", why="", fix="", link=""
            )  # fmt: skip
        if place == "wal":
            tx.execute(insert(audit).values(at=0.0, who=canary, act="act", subject="", why=""))
    if place == "wal":
        with scene.desk.ledger.write() as tx:
            tx.execute(audit.delete())
    if place == "log":
        logging.getLogger("drbridge").info("sent %s", canary)
    if place == "result":
        scene.said.append(json.dumps({"troubles": [canary]}))
    scene.tell_of(numbers)
    assert list(scene.leaks()) == [canary]
