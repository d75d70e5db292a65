"""What must come of a day: written down by the one who made its files and messages, before anybody has read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

RECORD = ".control.json"
K = TypeVar("K")
V = TypeVar("V")
Ending = Literal["Sent-", "Error-"]


@dataclass(frozen=True, order=True)
class Planted:
    """A row that must be refused, and why.

    Attributes:
        line: of the file as an editor shows it.
        kind: what was done to it, in our own words.
    """

    line: int
    kind: str


@dataclass(frozen=True)
class FilePrediction:
    """What must come of one file.

    Attributes:
        url: where its owner puts it; empty when it is posted.
        rows: all rows; None when the file cannot be read to its end.
        refused: rows that no contract lets pass.
        duplicates: lines that repeat an earlier row word for word.
        refused_there: lines that the far side refuses although they are well-formed.
        ends: how its name begins when everything about it is settled.
        why_error: for files that end `Error-`: truncated, over_threshold, totals_differ.
        relays: places where the same bytes must lie under the same name.
        attachment: operation of the DERMS and sha256 of what it must have been sent, if it is sent as a file.
        same_as: name of the file that has the same bytes; this one must cause nothing.
        delimiter: what stands between two fields.
        record: sha256 of its control record, if it has one: that must follow it, and be renamed with it.
    """

    url: str
    name: str
    noun: str
    sha256: str
    rows: int | None
    accepted: int
    refused: tuple[Planted, ...] = ()
    duplicates: tuple[int, ...] = ()
    refused_there: tuple[int, ...] = ()
    ends: Ending = "Sent-"
    why_error: str = ""
    relays: tuple[str, ...] = ()
    attachment: tuple[str, str] | None = None
    same_as: str = ""
    delimiter: str = ","
    record: str = ""


@dataclass(frozen=True)
class Prediction:
    """What must come of a day.

    Attributes:
        files: one prediction for each file.
        effects: (system, noun) to business key to value, each to have taken effect exactly once; a noun whose
            attachments are compared as a whole is not here but in `keys`.
        keys: (system, noun) to the number of business keys there must be.
        acks: message id to the type of the acknowledgement that the DERMS must have got.
        records: (system, kind) to id to members that the record must have now.
        steps: stage to the steps of its program event that DACS must have been asked for, in order, and taken.
    """

    files: tuple[FilePrediction, ...]
    effects: Mapping[tuple[str, str], Mapping[str, str]] = field(default_factory=dict)
    keys: Mapping[tuple[str, str], int] = field(default_factory=dict)
    acks: Mapping[str, str] = field(default_factory=dict)
    records: Mapping[tuple[str, str], Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    steps: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def of(self, name: str) -> FilePrediction:
        """The prediction for a file."""
        return next(each for each in self.files if each.name == name)


def together(*predictions: Prediction) -> Prediction:
    """One prediction of several; where two speak of the same record or stage, the later is right."""
    return Prediction(
        tuple(file for each in predictions for file in each.files),
        _merged([each.effects for each in predictions]),
        {key: count for each in predictions for key, count in each.keys.items()},
        {key: ack for each in predictions for key, ack in each.acks.items()},
        _merged([each.records for each in predictions]),
        {stage: steps for each in predictions for stage, steps in each.steps.items()},
    )


def _merged(
    tables: Sequence[Mapping[tuple[str, str], Mapping[K, V]]],
) -> dict[tuple[str, str], dict[K, V]]:
    found: dict[tuple[str, str], dict[K, V]] = {}
    for table in tables:
        for place, values in table.items():
            found.setdefault(place, {}).update(values)
    return found
