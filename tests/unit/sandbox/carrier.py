"""A carrier that does a day's work as it must be done, knowing from the prediction which rows are bad."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from drbridge_sandbox.day import Day, FilePrediction
from drbridge_sandbox.day.outcomes import DACS_CODES
from drbridge_sandbox.day.prediction import RECORD
from drbridge_sandbox.sandbox import Sandbox
from tests.unit.sandbox.conftest import Caller
from tests.unit.sandbox.test_dacs import OUTCOMES, SYNC

Row = dict[str, str]


class Carrier:
    """Carries the files of a day from where they lie to where they belong."""

    def __init__(self, box: Sandbox, day: Day) -> None:
        self.box, self.day = box, day
        self.dacs, self.derms = Caller(box, "dacs"), Caller(box, "derms")
        self.refused_there: dict[str, list[int]] = {}

    def carry(self) -> None:
        """Everything, and the names afterwards."""
        for file in self.day.prediction.files:
            if file.ends == "Sent-" and not file.same_as:
                self._deliver(file)
            elif file.noun == "event_outcome":
                self._acknowledge(file, "FAILURE")
            place = self.box.place(file.url)
            for name in (file.name, file.name + RECORD) if file.record else (file.name,):
                place.drop(file.ends + name, place.read(name))
                place.remove(name)

    def _deliver(self, file: FilePrediction) -> None:
        data = self.box.files(file.url)[file.name]
        for url in file.relays:
            self.box.drop(url, file.name, data)
            if file.record:
                self.box.drop(url, file.name + RECORD, self.box.files(file.url)[file.name + RECORD])
        if file.attachment:
            content = b"".join(line for _, line in accepted(file, data))
            said = self.derms.file(f"/{file.attachment[0]}", file.name, content)
            assert said.status in (200, 202), said.body
        if file.noun == "enrollment_ack":
            self._update_sync_requests(file, data)
        if file.noun == "event_outcome":
            self._post_outcomes(file, data)
            self._acknowledge(file, "ERROR")

    def _update_sync_requests(self, file: FilePrediction, data: bytes) -> None:
        for line, row in rows(file, data):
            body: dict[str, object] = {"syncRequestId": row["syncRequestId"], "hasError": row["ackStatus"] == "ERROR"}
            if row["ackStatus"] == "ERROR":
                info = {"sequence": 1, "messageCategory": int(row["messageCategory"]),
                        "messageNumber": int(row["messageNumber"]), "comments": row["messageText"]}  # fmt: skip
                body["exceptionInfo"] = [info]
            if self.dacs.json("PATCH", SYNC + row["syncRequestId"], body).status != 200:
                self.refused_there.setdefault(file.name, []).append(line)

    def _post_outcomes(self, file: FilePrediction, data: bytes) -> None:
        items = []
        for _, row in rows(file, data):
            item = {
                "eventExternalIdentifier": row["stageId"], "nicId": row["nicId"],
                "headEndSystem": row["headEndSystemId"], "outcome": DACS_CODES[row["outcome"]],
                "participationStartDateTime": row["participationStartDateTime"],
                "participationEndDateTime": row["participationEndDateTime"],
                "errorMessage": row["errorMessage"][:100],
            }  # fmt: skip
            items.append({name: value for name, value in item.items() if value})
        for start in range(0, len(items), 500):
            said = self.dacs.json("POST", OUTCOMES, {"postOutcomeList": items[start : start + 500]})
            assert said.status == 200, said.body

    def _acknowledge(self, file: FilePrediction, ack_type: str) -> None:
        message_id = file.name.removesuffix(".csv").rsplit("_", 1)[1]
        body = {"messageId": message_id, "ackType": ack_type, "whenISO": "2026-07-15T01:00:00.000Z", "responses": []}
        assert self.derms.json("POST", "/acks", body).status == 200


def accepted(file: FilePrediction, data: bytes) -> Iterator[tuple[int, bytes]]:
    """The header and the accepted rows as they came, each with its line; rows may hold line breaks in quotes."""
    bad = {each.line for each in file.refused} | set(file.duplicates)
    line, whole = 1, b""
    for piece in data.splitlines(keepends=True):
        whole += piece
        if whole.count(b'"') % 2 == 0:
            if line not in bad:
                yield line, whole
            line += whole.count(b"\n")
            whole = b""


def rows(file: FilePrediction, data: bytes) -> Iterator[tuple[int, Row]]:
    """The accepted rows with their lines."""
    (_, head), *found = accepted(file, data)
    names = next(csv.reader([head.decode()]))
    for line, text in found:
        fields = next(csv.reader(io.StringIO(text.decode(), newline="")))
        yield line, dict(zip(names, fields, strict=True))
