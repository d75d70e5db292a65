"""Making a day: all its files, reproducibly from a seed, with the prediction of what must come of them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from hashlib import sha256
from pathlib import Path
from random import Random

from drbridge_sandbox.day import customers, enrollment, ids, intervals, network, outcomes, settlement
from drbridge_sandbox.day.planting import Fields, Layout, Plan, Sheet, plan, some_bad
from drbridge_sandbox.day.prediction import RECORD, FilePrediction, Prediction
from drbridge_sandbox.day.scores import write_scores
from drbridge_sandbox.sandbox import Sandbox

SCORES = "sftp://dacs_files/outgoing/scores"
ENROLLMENT = "sftp://dacs_files/outgoing/enrollment"
OUTCOMES = "sftp://derms_files/outgoing/outcome"
ACKS = "s3://ouai_objects/ouai/outgoing/ack"
FORECASTS = "s3://ouai_objects/ouai/outgoing/forecast"
ENERGY = "s3://ouai_objects/ouai/outgoing/energy"
TO_OUAI = "s3://ouai_objects/ouai/incoming"
NETWORK = "sftp://derms_files/outgoing/network"
CUSTOMERS = "sftp://cis_files/outgoing/customers"
REQUESTS = "sftp://cis_files/outgoing/settlement"
CREDITS = "sftp://dacs_files/outgoing/settlement"
TO_DACS = "s3://dacs_objects/dacs/incoming"
TO_BILLING = "sftp://cis_files/incoming/settlement"
FEWEST = 200


@dataclass(frozen=True)
class DayFile:
    """A file of the day: where its owner puts it, and the bytes on disk."""

    url: str
    name: str
    path: Path


@dataclass
class Day:
    """A day's files on disk, and what must come of them. The files go when the day does, unless a folder was named.

    Attributes:
        sync_requests: ids that DACS waits for before the day begins.
        customers: numbers of those whose contact is well-formed: both DACS and the DERMS get to know them.
    """

    date: date
    seed: int
    devices: int
    folder: Path
    files: list[DayFile] = field(default_factory=list)
    sync_requests: list[str] = field(default_factory=list)
    customers: list[int] = field(default_factory=list)
    prediction: Prediction = field(default_factory=lambda: Prediction(()))
    kept: tempfile.TemporaryDirectory[str] | None = None

    def drop_into(self, box: Sandbox, urls: Collection[str] = ()) -> None:
        """Puts files where their owners would, and has DACS wait for its sync requests.

        Args:
            urls: only the files that belong there; without any, all.
        """
        box.far("dacs").seed(self.sync_requests)
        for file in self.files:
            if not urls or file.url in urls:
                box.drop(file.url, file.name, file.path)

    def close(self) -> None:
        """Removes the files, if they lie in a folder that was not named."""
        if self.kept is not None:
            self.kept.cleanup()


def make_day(seed: int, devices: int, day: date, folder: Path | None = None) -> Day:
    """Makes a day's files: the same for the same seed, devices and date.

    Args:
        devices: rows of the score and outcome files; the others have fewer. At least 200 are made.
        folder: where the files are written; a temporary one if it is not said.
    """
    kept = None
    if folder is None:
        kept = tempfile.TemporaryDirectory(prefix="drbridge-day-")
        folder = Path(kept.name)
    folder.mkdir(parents=True, exist_ok=True)
    made = Day(day, seed, max(devices, FEWEST), folder, kept=kept)
    maker = _Maker(made)
    maker.scores()
    maker.enrollment()
    maker.outcomes()
    maker.forecast()
    maker.energy()
    maker.network()
    maker.customers()
    maker.settlement()
    made.prediction = Prediction(tuple(maker.files), maker.effects, maker.keys, maker.acks)
    return made


def _nothing(_: Fields) -> None:
    """What most files do with a row that passes."""


class _Maker:
    """Makes the files of one day, noun by noun."""

    def __init__(self, day: Day) -> None:
        self.day, self.stamp = day, f"{day.date:%Y%m%d}"
        self.few = max(day.devices // 10, FEWEST)
        self.files: list[FilePrediction] = []
        self.effects: dict[tuple[str, str], dict[str, str]] = {}
        self.keys: dict[tuple[str, str], int] = {}
        self.acks: dict[str, str] = {}

    def _random(self, name: str) -> Random:
        return Random(f"{name} {self.day.seed} {self.day.date}")

    def _add(self, url: str, name: str) -> Path:
        path = self.day.folder / name
        self.day.files.append(DayFile(url, name, path))
        return path

    def _sheet(
        self, url: str, name: str, noun: str, layout: Layout, rows: int,
        draw: Callable[[Random, Plan], Sequence[Fields]], *, relays: tuple[str, ...] = (),
        accepted: Callable[[Fields], object] = _nothing, share: float = 0.005, first: Sequence[Fields] = (),
    ) -> Sheet:  # fmt: skip
        """Writes one file with faults and predicts it; the rows of `first` have none."""
        random = self._random(name)
        planned = plan(random, rows, some_bad(rows, share))
        with Sheet(self._add(url, name), layout) as sheet:
            for fields in first:
                sheet.good(fields)
            sheet.fill(draw(random, planned), planned, accepted)
        self.files.append(
            FilePrediction(
                url, name, noun, sheet.sha, sheet.rows, sheet.accepted, tuple(sheet.refused), tuple(sheet.duplicates),
                relays=relays, delimiter=layout.delimiter,
            )
        )  # fmt: skip
        return sheet

    def _change_last(self, **changes: object) -> None:
        self.files[-1] = replace(self.files[-1], **changes)  # type: ignore[arg-type]

    def scores(self) -> None:
        """The score file, and the same bytes once more under another name."""
        day, name, again = self.day, f"SDCSE_{self.stamp}_00.csv", f"SDCSE_{self.stamp}_01.csv"
        made = write_scores(self._add(SCORES, name), day.devices, day.seed, 0.005, day.date)
        found = FilePrediction(
            SCORES, name, "device_score", made.sha, made.rows, made.accepted, made.refused, made.duplicates,
            attachment=("deviceScore", made.accepted_sha),
        )  # fmt: skip
        shutil.copyfile(day.folder / name, self._add(SCORES, again))
        self.files += [found, replace(found, name=again, same_as=name)]
        self.keys["derms", "device_score"] = made.accepted

    def enrollment(self) -> None:
        """An enrollment file, one that broke off, and OUAI's acknowledgements."""
        good: list[Fields] = []
        name, rows = f"ENROLL_SYNC_{self.stamp}T040000Z_0001.csv", self.few
        self._sheet(
            ENROLLMENT, name, "enrollment_sync", enrollment.SYNC, rows,
            lambda random, planned: list(enrollment.enrollments(random, self.day.date, planned.rows)),
            relays=(f"{TO_OUAI}/enrollment",), accepted=good.append,
        )  # fmt: skip
        self._cut_off(f"ENROLL_SYNC_{self.stamp}T041500Z_0002.csv")
        waiting = [fields for fields in good if enrollment.wants_ack(fields)]
        self.day.sync_requests = [fields[0] for fields in waiting]
        self._acknowledgements(waiting, name)

    def _cut_off(self, name: str) -> None:
        path = self._add(ENROLLMENT, name)
        random = Random(f"{name} {self.day.seed}")
        with Sheet(path, enrollment.SYNC) as sheet:
            for fields in enrollment.enrollments(random, self.day.date, 100):
                sheet.good(fields)
        data = path.read_bytes()[:-40]
        path.write_bytes(data)
        self.files.append(
            FilePrediction(ENROLLMENT, name, "enrollment_sync", sha256(data).hexdigest(), None, 0, ends="Error-",
                           why_error="truncated")
        )  # fmt: skip

    def _acknowledgements(self, waiting: list[Fields], source: str) -> None:
        states = self.effects.setdefault(("dacs", "sync_request"), {})
        at, unknown = f"{self.day.date}T05:58:11Z", ids.sync_request(self.day.date, 9_999_999)

        def draw(_: Random, planned: Plan) -> list[Fields]:
            found = [
                enrollment.ack(fields, at, source, enrollment.refusal_of(number))
                for number, fields in enumerate(waiting[: planned.rows])
            ]
            middle = next(n for n in range(len(found) // 2, len(found)) if self._is_plain(n, planned))
            found[middle][0] = unknown
            return found

        def accepted(fields: Fields) -> None:
            if fields[0] != unknown:
                states[fields[0]] = "SYNCHRONIZED" if fields[2] == "SUCCESS" else "ERROR"

        name = f"ENROLL_ACK_{self.stamp}T060000Z_1.csv"
        self._sheet(
            ACKS, name, "enrollment_ack", enrollment.ACK, len(waiting), draw, accepted=accepted
        )  # fmt: skip
        self._change_last(refused_there=(self._line_of(name, unknown.encode()),))

    @staticmethod
    def _is_plain(number: int, planned: Plan) -> bool:
        return number not in planned.bad and number not in planned.repeated and number not in planned.contradicted

    def _line_of(self, name: str, text: bytes) -> int:
        data = (self.day.folder / name).read_bytes()
        return data.count(b"\n", 0, data.index(text)) + 1

    def outcomes(self) -> None:
        """One event of two stages and another event; and a file with too many bad rows."""
        known = self.effects.setdefault(("dacs", "event_outcome"), {})
        number = f"{self.day.date:%y%m%d}"
        stages = outcomes.stages(self.day.date)

        def note(fields: Fields) -> None:
            key, value = outcomes.effect(fields)
            known[key] = value

        self._sheet(
            OUTCOMES, f"EVENT_OUTCOME_{self.stamp}T230000Z_{number}1.csv", "event_outcome", outcomes.LAYOUT,
            self.day.devices, lambda random, planned: list(outcomes.outcomes(random, stages, planned)),
            relays=(f"{TO_OUAI}/outcome",), accepted=note,
        )  # fmt: skip
        other = (outcomes.Stage(f"{number}03", f"{number}031", f"{self.day.date}T10:00:00Z",
                                f"{self.day.date}T11:00:00Z"),)  # fmt: skip
        self._sheet(
            OUTCOMES, f"EVENT_OUTCOME_{self.stamp}T233000Z_{number}2.csv", "event_outcome", outcomes.LAYOUT, 100,
            lambda random, planned: list(outcomes.outcomes(random, other, planned)), share=0.12,
        )  # fmt: skip
        self._change_last(ends="Error-", why_error="over_threshold")
        self.acks |= {f"{number}1": "ERROR", f"{number}2": "FAILURE"}

    def forecast(self) -> None:
        """The load forecast, which goes to OUAI's bucket as it is and to the DERMS without its bad rows."""
        sheet = self._sheet(
            FORECASTS, f"LOAD_FORECAST_{self.stamp}_{self._day_before()}T030000Z.csv", "load_forecast",
            intervals.FORECAST, self.few,
            lambda random, planned: list(intervals.forecasts(random, self.day.date, planned.rows)),
            relays=(f"{TO_OUAI}/forecast",),
        )  # fmt: skip
        self._change_last(attachment=("loadForecast", sheet.accepted_sha))
        self.keys["derms", "load_forecast"] = sheet.accepted

    def _day_before(self) -> str:
        return f"{date.fromordinal(self.day.date.toordinal() - 1):%Y%m%d}"

    def energy(self) -> None:
        """What was saved: kWh avoided, and how far the power fell."""
        event, day = outcomes.stages(self.day.date)[0].event, self.day.date
        self._sheet(
            ENERGY, f"KWH_AVOIDED_{self.stamp}T233000Z_1.csv", "kwh_avoided", intervals.KWH_AVOIDED, self.few,
            lambda random, planned: list(intervals.kwh_avoided(random, day, event, planned.rows)),
            relays=(f"{TO_DACS}/energy",),
        )  # fmt: skip
        self._sheet(
            ENERGY, f"KW_DROP_{self.stamp}T233000Z_1.csv", "kw_drop", intervals.KW_DROP, self.few,
            lambda random, planned: list(intervals.kw_drop(random, day, event, planned.rows)),
            relays=(f"{TO_DACS}/energy",),
        )  # fmt: skip

    def network(self) -> None:
        """The whole network: every service point's transformer, feeder and substation."""
        day = self.day.date
        self._sheet(
            NETWORK, f"SP_NETWORK_LOCATION_FULL_{self.stamp}T010000Z.csv", "network_location", network.LAYOUT, self.few,
            lambda _, planned: list(network.locations(day, planned.rows)), relays=(f"{TO_DACS}/network",),
            first=[network.always_there(day)],
        )  # fmt: skip

    def customers(self) -> None:
        """Customers who changed, to DACS as they are, to the DERMS without the bad rows; the last kind comes first."""
        for code, noun, there, layout, drawn in (
            ("C1-DMSEX", "customer_service_agreement", "service_agreement", customers.SERVICE_AGREEMENT,
             customers.service_agreements),
            ("C1-DSPEX", "customer_service_point", "service_point", customers.SERVICE_POINT, customers.service_points),
            ("C1-DCTEX", "customer_contact", "customer", customers.CONTACT, customers.contacts),
        ):  # fmt: skip
            sheet = self._sheet(
                CUSTOMERS, f"{code}_{self.stamp}_00.csv", noun, layout, self.few,
                lambda _, planned, drawn=drawn: list(drawn(self.day.date, planned.rows)),  # type: ignore[misc]
                relays=(f"{TO_DACS}/customers",), accepted=self._note_customer if there == "customer" else _nothing,
            )  # fmt: skip
            self._change_last(attachment=("customers", sheet.accepted_sha))
            self.keys["derms", there] = sheet.accepted

    def _note_customer(self, fields: Fields) -> None:
        self.day.customers.append(int(fields[customers.EXTERNAL_ID].removeprefix("P")))

    def settlement(self) -> None:
        """Requests, and two files of credits: one as its control record says, one that lacks a cent."""
        day, event = self.day.date, outcomes.stages(self.day.date)[0].event
        self._sheet(
            REQUESTS, f"SETTLEMENT_REQUEST_{self.stamp}T050000Z.csv", "settlement_request", settlement.REQUEST,
            self.few, lambda _, planned: list(settlement.requests(day, planned.rows, planned.bad)),
            relays=(f"{TO_DACS}/settlement",),
        )  # fmt: skip
        for hour, lost in ((6, "0.00"), (7, "0.01")):
            name = f"CUST_SETTLEMENT_{self.stamp}T{hour:02d}0000Z.csv"
            sheet = self._sheet(
                CREDITS, name, "settlement_credit", settlement.CREDIT, self.few,
                lambda random, planned: list(settlement.credits(random, day, event, planned.rows)),
                relays=(TO_BILLING,),
            )  # fmt: skip
            record = settlement.control_record(name, self.day.folder / name, sheet, lost)
            self._add(CREDITS, name + RECORD).write_bytes(record)
            self._change_last(record=sha256(record).hexdigest())
        self._change_last(relays=(), ends="Error-", why_error="totals_differ")
