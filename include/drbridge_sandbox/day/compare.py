"""Comparing a prediction with what the other systems hold now. Only they are asked, never drbridge."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from drbridge_sandbox.day.prediction import RECORD, Prediction
from drbridge_sandbox.places import digest
from drbridge_sandbox.sandbox import Sandbox

MOST_NAMED = 20


@dataclass(frozen=True)
class Difference:
    """Something that is not as predicted.

    Attributes:
        noun: of the file or effect it is about.
        where: a place or a service.
    """

    noun: str
    where: str
    what: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}: expected {self.expected}, found {self.found}"


def compare(prediction: Prediction, box: Sandbox, *, alone: bool = True) -> list[Difference]:
    """All differences between a prediction and the far side; none when the day went as it must.

    Args:
        alone: nothing but this day has ever been sent to the sandbox, so whatever else is there is a difference too.
    """
    return list(_differences(prediction, box, alone))


def _differences(prediction: Prediction, box: Sandbox, alone: bool) -> Iterator[Difference]:
    yield from _sources(prediction, box)
    yield from _relays(prediction, box, alone)
    yield from _attachments(prediction, box, alone)
    for (system, noun), effects in prediction.effects.items():
        yield from _effects(box, system, noun, dict(effects), alone)
    for (system, noun), count in prediction.keys.items():
        yield from _keys(box, system, noun, count, alone)
    yield from _acks(prediction, box, alone)
    for (system, kind), records in prediction.records.items():
        yield from _records(box, system, kind, records, alone)
    yield from _steps(prediction, box)


def _sources(prediction: Prediction, box: Sandbox) -> Iterator[Difference]:
    for file in [each for each in prediction.files if each.url]:
        names = box.place(file.url).names()
        for end in ("", RECORD) if file.record else ("",):
            wanted = re.compile(re.escape(file.ends + file.name) + r"(\.\d+)?" + re.escape(end))
            if file.name + end in names or not any(map(wanted.fullmatch, names)):
                found = [name for name in names if file.name in name]
                yield Difference(file.noun, file.url, "name of the source", file.ends + file.name + end, str(found))


def _relays(prediction: Prediction, box: Sandbox, alone: bool) -> Iterator[Difference]:
    places: dict[str, set[str]] = {}
    for file, url in [(each, url) for each in prediction.files for url in each.relays]:
        place = box.place(url)
        wanted = {file.name: file.sha256} | ({file.name + RECORD: file.record} if file.record else {})
        places.setdefault(url, set()).update(wanted)
        for name, sha in wanted.items():
            found = digest(place, name) if name in place.names() else "nothing"
            if found != sha:
                yield Difference(file.noun, url, f"sha256 of {name}", sha, found)
    for url, names in places.items():
        extra = set(box.place(url).names()) - names
        if alone and extra:
            yield Difference(_noun_of(prediction, url), url, "other files", "none", str(sorted(extra)[:MOST_NAMED]))
    yield from _not_relayed(prediction, box, places)


def _not_relayed(prediction: Prediction, box: Sandbox, places: Iterable[str]) -> Iterator[Difference]:
    refused = [file for file in prediction.files if file.ends == "Error-"]
    for url in places:
        there = set(box.place(url).names())
        for file in refused:
            if file.name in there:
                yield Difference(file.noun, url, file.name, "not there: it was to be refused", "there")


def _noun_of(prediction: Prediction, url: str) -> str:
    return next(file.noun for file in prediction.files if url in file.relays)


def _attachments(prediction: Prediction, box: Sandbox, alone: bool) -> Iterator[Difference]:
    wanted = [(file, *file.attachment) for file in prediction.files if file.attachment and not file.same_as]
    if not wanted:
        return
    taken = [row for row in box.far("derms").requests() if _took_effect(row) and row["file_name"]]
    for file, operation, sha in wanted:
        mine = {row["sha256"] for row in taken if row["operation"] == operation}
        all_of_it = {other for _, another, other in wanted if another == operation}
        if sha not in mine or (alone and mine != all_of_it):
            yield Difference(file.noun, f"derms {operation}", f"attachment of {file.name}", sha, str(sorted(mine)))


def _took_effect(row: dict[str, Any]) -> bool:
    return not row["replayed"] and row["status"] is not None and 200 <= row["status"] < 300


def _effects(box: Sandbox, system: str, noun: str, expected: dict[str, str], alone: bool) -> Iterator[Difference]:
    found = box.far(system).effects_of(noun)
    where, missing = f"{system} {noun}", expected.keys() - found.keys()
    wrong = [key for key, value in expected.items() if key in found and found[key]["value"] != value]
    twice = [key for key in expected if key in found and found[key]["effects"] != 1]
    if missing:
        yield Difference(noun, where, _some("without effect", missing), "1 effect", "none")
    for key in wrong[:MOST_NAMED]:
        yield Difference(noun, where, key, expected[key], found[key]["value"])
    if twice:
        yield Difference(noun, where, _some("not just once", twice), "1 effect", "more")
    if alone and (extra := found.keys() - expected.keys()):
        yield Difference(noun, where, _some("unexpected", extra), "no effect", "an effect")


def _some(what: str, keys: Iterable[str]) -> str:
    found = sorted(keys)
    more = f" and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
    return f"{len(found)} {what}: {', '.join(found[:MOST_NAMED])}{more}"


def _keys(box: Sandbox, system: str, noun: str, expected: int, alone: bool) -> Iterator[Difference]:
    found = box.far(system).counts()["effects"].get(noun, {"keys": 0, "twice": 0})
    if found["keys"] != expected and (alone or found["keys"] < expected):
        yield Difference(noun, f"{system} {noun}", "business keys", str(expected), str(found["keys"]))
    if found["twice"]:
        yield Difference(noun, f"{system} {noun}", "keys with more than one effect", "0", str(found["twice"]))


def _acks(prediction: Prediction, box: Sandbox, alone: bool) -> Iterator[Difference]:
    if not prediction.acks:
        return
    found = {key: row["value"].partition(",")[0] for key, row in box.far("derms").effects_of("ack").items()}
    for message_id, ack_type in prediction.acks.items():
        if found.get(message_id) != ack_type:
            what, got = f"acknowledgement of {message_id}", found.get(message_id, "none")
            yield Difference("event_outcome", "derms acks", what, ack_type, got)
    if alone and (extra := found.keys() - prediction.acks.keys()):
        yield Difference("event_outcome", "derms acks", "other acknowledgements", "none", ", ".join(sorted(extra)))


def _records(
    box: Sandbox, system: str, kind: str, expected: Mapping[str, Mapping[str, Any]], alone: bool
) -> Iterator[Difference]:
    found, where = box.far(system).records(kind), f"{system} {kind}"
    for id_, members in list(expected.items()):
        record = {name: found.get(id_, {}).get(name) for name in members}
        if record != members:
            yield Difference(kind, where, id_, str(dict(members)), str(record if id_ in found else "nothing"))
    if alone and (extra := found.keys() - expected.keys()):
        yield Difference(kind, where, _some("unexpected", extra), "none", "some")


def _steps(prediction: Prediction, box: Sandbox) -> Iterator[Difference]:
    for stage, steps in prediction.steps.items():
        asked = box.far("dacs").program_event_steps(stage)
        if asked != [(step, True) for step in steps]:
            told = ", ".join(step if taken else f"{step} (refused)" for step, taken in asked)
            yield Difference("program_event", "dacs program_event", f"steps of {stage}", ", ".join(steps), told)
