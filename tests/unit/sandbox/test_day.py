"""A day is the same for the same seed, is what its prediction says, and has no differences when it is carried well."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from hashlib import sha256
from pathlib import Path

import pytest

from drbridge_sandbox.day import Day, Difference, compare, make_day, write_scores
from drbridge_sandbox.day.prediction import RECORD
from drbridge_sandbox.sandbox import Sandbox
from tests.unit.sandbox.carrier import Carrier, accepted
from tests.unit.sandbox.conftest import Caller

DAY = date(2026, 7, 14)
NOUNS = {
    "device_score", "enrollment_sync", "enrollment_ack", "event_outcome", "load_forecast", "kwh_avoided", "kw_drop",
    "network_location", "customer_contact", "customer_service_point", "customer_service_agreement",
    "settlement_request", "settlement_credit",
}  # fmt: skip


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Day:
    return make_day(7, 600, DAY, tmp_path_factory.mktemp("day"))


@pytest.fixture(scope="module")
def carried(started: Sandbox, day: Day) -> Iterator[Carrier]:
    """The day, carried as it must be."""
    for system in started.services:
        started.far(system).reset()
    day.drop_into(started)
    carrier = Carrier(started, day)
    carrier.carry()
    yield carrier
    for url in {file.url for file in day.prediction.files} | {url for f in day.prediction.files for url in f.relays}:
        for name in started.place(url).names():
            started.place(url).remove(name)


def differences(carrier: Carrier) -> list[Difference]:
    return compare(carrier.day.prediction, carrier.box)


def test_a_day_carried_well_has_no_differences(carried: Carrier) -> None:
    assert differences(carried) == []


def test_the_far_side_refuses_just_the_rows_that_were_planted_for_it(carried: Carrier) -> None:
    expected = {file.name: list(file.refused_there) for file in carried.day.prediction.files if file.refused_there}
    assert carried.refused_there == expected


@pytest.mark.parametrize("what", ["source", "relay", "other_bytes", "extra_object", "effect", "twice", "attachment"])
def test_what_went_wrong_is_found(carried: Carrier, what: str) -> None:
    box, prediction = carried.box, carried.day.prediction
    relayed = next(file for file in prediction.files if file.relays)
    if what == "source":
        changed = replace(relayed, ends="Error-")
        prediction = replace(prediction, files=(changed, *(f for f in prediction.files if f is not relayed)))
    elif what == "relay":
        box.place(relayed.relays[0]).remove(relayed.name)
    elif what == "other_bytes":
        box.drop(relayed.relays[0], relayed.name, b"other")
    elif what == "extra_object":
        box.drop(relayed.relays[0], "extra.csv", b"extra")
    elif what == "effect":
        effects = {key: dict(value) for key, value in prediction.effects.items()}
        effects["dacs", "sync_request"].popitem()
        effects["dacs", "event_outcome"]["1/2/3"] = "D1SP|||"
        prediction = replace(prediction, effects=effects)
    elif what == "twice":
        effects = {key: dict(value) for key, value in prediction.effects.items()}
        key = next(iter(effects["dacs", "sync_request"]))
        effects["dacs", "sync_request"][key] = "PENDING"
        prediction = replace(prediction, effects=effects)
    else:
        files = [
            replace(f, attachment=("deviceScore", "0")) if f.noun == "device_score" else f for f in prediction.files
        ]
        prediction = replace(prediction, files=tuple(files))
    found = compare(prediction, box)
    assert found
    assert all(str(each) for each in found)
    if what in ("relay", "other_bytes"):
        box.drop(relayed.relays[0], relayed.name, next(f.path for f in carried.day.files if f.name == relayed.name))
    box.place(relayed.relays[0]).remove("extra.csv")
    assert differences(carried) == []


def test_rows_of_other_days_are_passed_over_when_told_so(carried: Carrier, tmp_path: Path) -> None:
    box = carried.box
    carrier = Carrier(box, make_day(7, 600, date(2026, 7, 15), tmp_path))
    carrier.day.drop_into(box)
    carrier.carry()
    assert compare(carrier.day.prediction, box, alone=False) == []
    assert compare(carried.day.prediction, box, alone=False) == []
    assert compare(carrier.day.prediction, box) != []


def test_the_same_seed_draws_the_same_files_and_another_seed_does_not(day: Day, tmp_path: Path) -> None:
    again, other = make_day(7, 600, DAY, tmp_path / "again"), make_day(8, 600, DAY, tmp_path / "other")
    assert [file.sha256 for file in again.prediction.files] == [file.sha256 for file in day.prediction.files]
    assert again.prediction == day.prediction
    assert not {file.sha256 for file in other.prediction.files} & {file.sha256 for file in day.prediction.files}


def test_each_file_is_what_its_prediction_says(day: Day) -> None:
    assert {file.noun for file in day.prediction.files} == NOUNS
    for file in [each for each in day.files if not each.name.endswith(RECORD)]:
        told, data = day.prediction.of(file.name), file.path.read_bytes()
        assert told.sha256 == sha256(data).hexdigest()
        if told.rows is None:
            assert not data.endswith(b"\n")
            continue
        assert told.rows == told.accepted + len(told.refused) + len(told.duplicates)
        assert len(list(accepted(told, data))) == told.accepted + 1
        assert len(told.refused) >= 3
        assert (len(told.refused) / told.rows > 0.05) == (told.why_error == "over_threshold")


def test_a_day_has_every_kind_of_trouble(day: Day) -> None:
    files = day.prediction.files
    assert {file.why_error for file in files} == {
        "", "truncated", "over_threshold", "totals_differ",
    }  # fmt: skip
    assert [file.same_as for file in files if file.same_as] == ["SDCSE_20260714_00.csv"]
    assert sum(len(file.refused_there) for file in files) == 1
    assert all(file.duplicates for file in files if file.rows)
    assert all({"contradicted", "contradicts"} <= {each.kind for each in file.refused} for file in files if file.rows)


@pytest.mark.parametrize(("noun", "path"), [("device_score", "/deviceScore"), ("load_forecast", "/loadForecast")])
def test_each_planted_row_is_bad_by_itself(day: Day, derms: Caller, noun: str, path: str) -> None:
    told = next(file for file in day.prediction.files if file.noun == noun)
    lines = (day.folder / told.name).read_bytes().splitlines(keepends=True)
    for planted in told.refused:
        said = derms.file(path, "one.csv", lines[0] + lines[planted.line - 1])
        assert (said.status == 400) != planted.kind.startswith("contradict"), planted


def test_a_million_scores_are_drawn_in_seconds(tmp_path: Path) -> None:
    began = time.monotonic()
    made = write_scores(tmp_path / "scores.csv", 1_000_000, seed=1, day=DAY)
    assert time.monotonic() - began < 12
    assert made.rows == 1_000_000
    assert made.accepted + len(made.refused) + len(made.duplicates) == made.rows
    assert len(made.refused) == 1000 + 2 * 50
    digest = sha256()
    with (tmp_path / "scores.csv").open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    assert digest.hexdigest() == made.sha


def test_planted_scores_stand_in_the_lines_that_are_named(tmp_path: Path) -> None:
    a = write_scores(tmp_path / "a.csv", 150_000, seed=3, bad_share=0.01, day=DAY)
    lines = (tmp_path / "a.csv").read_bytes().splitlines(keepends=True)
    bad = {each.line for each in a.refused} | set(a.duplicates)
    good = b"".join(line for number, line in enumerate(lines, 1) if number not in bad)
    assert sha256(good).hexdigest() == a.accepted_sha
    assert (len(lines) - 1, len(a.refused)) == (150_000, 1500 + 2 * 7)
