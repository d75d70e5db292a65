"""The control record of a file about money: what its sender says it holds. Our definition."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from drbridge.errors import UnreadableFile

LONGEST_BYTES = 1 << 20


class ControlRecord(BaseModel):
    """What a file holds, in JSON beside it: `{"fileName", "rows", "totals": {"USD": "-12.50"}, "sha256"}`.

    Attributes:
        rows: without the header.
        totals: the sum of the amounts in each currency, of the rows as the contract takes them.
        sha256: of the file as it lies, in lower case hexadecimal.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    file_name: str = Field(alias="fileName")
    rows: int = Field(ge=0)
    totals: dict[str, Decimal]
    sha256: str = Field(pattern="^[0-9a-f]{64}$")

    @classmethod
    def read(cls, data: bytes) -> Self:
        """The record in a sidecar file.

        Raises:
            UnreadableFile: it is none.
        """
        try:
            return cls.model_validate_json(data)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"]))
            raise UnreadableFile(
                "The control record cannot be read", detail=f"{where}: {first['msg']}",
                fix="have file and control record written again", code="totals_differ",
            ) from error  # fmt: skip

    def disagreement(self, name: str, rows: int, sums: Mapping[str, Decimal], sha256: str) -> str:
        """How a file differs from its record, both totals named; nothing when they agree."""
        differs = [
            what
            for what, ours, theirs in (
                ("name", name, self.file_name), ("rows", rows, self.rows),
                ("totals", _not_zero(sums), _not_zero(self.totals)), ("sha256", sha256, self.sha256),
            )
            if ours != theirs
        ]  # fmt: skip
        if not differs:
            return ""
        theirs, ours = _told(self.rows, self.totals), _told(rows, sums)
        return f"they differ in {', '.join(differs)}: the record says {theirs} of {self.file_name}; {name} holds {ours}"


def _not_zero(sums: Mapping[str, Decimal]) -> dict[str, Decimal]:
    return {per: amount for per, amount in sums.items() if amount}


def _told(rows: int, sums: Mapping[str, Decimal]) -> str:
    amounts = [f"{per} {amount:,.2f}" for per, amount in sorted(sums.items())]
    return ", ".join([f"{rows:,} row{'s' * (rows != 1)}", *(amounts or ["no amounts"])])
