"""What must come of the files of a day: written down by the one who made them, before anybody has read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

RECORD = ".control.json"
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
    """

    files: tuple[FilePrediction, ...]
    effects: Mapping[tuple[str, str], Mapping[str, str]] = field(default_factory=dict)
    keys: Mapping[tuple[str, str], int] = field(default_factory=dict)
    acks: Mapping[str, str] = field(default_factory=dict)

    def of(self, name: str) -> FilePrediction:
        """The prediction for a file."""
        return next(each for each in self.files if each.name == name)
