"""The base of every row model, and how its columns are declared."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Self, get_args, get_origin

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationInfo, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from drbridge.contracts.kinds import Instant, Kind
from drbridge.contracts.problems import Flaw


def column(name: str, description: str, *, unit: str = "", rule: str = "", required: bool = True) -> Any:
    """Declares a column of a file.

    Args:
        name: as the header writes it.
        unit: kWh, kW, s ... where it has one.
        rule: what holds beyond the kind of the column, in words.
    """
    extra: dict[str, JsonValue] = {"unit": unit, "rule": rule}
    default: Any = ... if required else None
    return Field(default, alias=name, description=description, json_schema_extra=extra)


def kind_of(field: FieldInfo) -> Kind | None:
    """The kind a column was declared with: `Annotated[str, Text(30)]`, or that `| None`."""
    found = [each for each in field.metadata if isinstance(each, Kind)]
    for option in get_args(field.annotation):
        if get_origin(option) is Annotated:
            found += [each for each in get_args(option) if isinstance(each, Kind)]
    return found[0] if found else None


class Row(BaseModel):
    """One row of a file, all of it given as text. What this model accepts is accepted; nothing else is.

    Validation takes the time from the context (`{"now": ...}`), for rules about the future.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    _required: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        cls._required = frozenset(each.alias or "" for each in cls.model_fields.values() if each.is_required())

    @model_validator(mode="before")
    @classmethod
    def _blank_is_absent(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        given = {name: value for name, value in data.items() if value is not None and value != ""}
        for name in cls._required & given.keys():
            if isinstance(given[name], str) and given[name].isspace():
                del given[name]
        return given

    @model_validator(mode="after")
    def _rules_hold(self, info: ValidationInfo) -> Self:
        now = (info.context or {}).get("now") or datetime.now(UTC)
        flaws = list(self.flaws(now))
        if flaws:
            raise PydanticCustomError(flaws[0].code, "{text}", {"text": flaws[0].text, "flaws": flaws})
        return self

    def flaws(self, now: datetime) -> Iterator[Flaw]:
        """Broken rules between the fields of a row whose fields are good each for itself."""
        yield from ()

    @classmethod
    def sure_rules(cls, present: Collection[str], now: datetime) -> list[pl.Expr]:
        """The same rules for all rows at once: all true only where `flaws` finds none.

        Args:
            present: the columns that the file has.
        """
        return []


def in_order(start: pl.Expr, end: pl.Expr) -> pl.Expr:
    """Surely start <= end, for two moments that are good each for itself: same offset, whole seconds."""
    same_offset = start.str.slice(19) == end.str.slice(19)
    whole_seconds = start.str.len_bytes().is_in([20, 25]) & end.str.len_bytes().is_in([20, 25])
    return whole_seconds & same_offset & (start <= end)


def in_utc(text: str) -> str:
    """An accepted moment as the other systems' REST services take it: in UTC, fractions of seconds as they came."""
    moment = Instant().parse(text)
    try:
        return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat()}Z"
    except OverflowError:  # the first or last hours of the calendar have no UTC equivalent
        return text
