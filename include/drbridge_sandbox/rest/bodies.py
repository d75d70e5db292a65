"""Reading the JSON bodies that the services take: strict types, agreed lengths, UTC times, nothing unknown."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from drbridge_sandbox.rest.answers import Refused

Model = TypeVar("Model", bound=BaseModel)
UTC_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|\+00:00)")
ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d")


def camel(name: str) -> str:
    """A field's name in JSON: nic_id is nicId, when_iso is whenISO."""
    return re.sub("Iso$", "ISO", to_camel(name))


class Strict(BaseModel):
    """A body, or a part of one, that has exactly the members agreed on."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, alias_generator=camel)

    @property
    def record(self) -> dict[str, Any]:
        """It as JSON, without members that have no value."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def _utc(value: Any) -> datetime:
    if not isinstance(value, str) or not UTC_TIME.fullmatch(value):
        raise ValueError("a UTC time such as 2026-07-14T18:00:00Z is expected")
    return datetime.fromisoformat(value)


def _date(value: Any) -> date:
    if not isinstance(value, str) or not ISO_DATE.fullmatch(value):
        raise ValueError("a date such as 2026-07-14 is expected")
    return date.fromisoformat(value)


UtcTime = Annotated[datetime, BeforeValidator(_utc)]
IsoDate = Annotated[date, BeforeValidator(_date)]
Text12 = Annotated[str, Field(min_length=1, max_length=12)]
Text14 = Annotated[str, Field(min_length=1, max_length=14)]
Text24 = Annotated[str, Field(min_length=1, max_length=24)]
Text30 = Annotated[str, Field(min_length=1, max_length=30)]
Text50 = Annotated[str, Field(min_length=1, max_length=50)]
Text60 = Annotated[str, Field(min_length=1, max_length=60)]
Text100 = Annotated[str, Field(min_length=1, max_length=100)]
Text120 = Annotated[str, Field(min_length=1, max_length=120)]
Text254 = Annotated[str, Field(min_length=1, max_length=254)]


def parsed(model: type[Model], body: bytes) -> Model:
    """The body as a model.

    Raises:
        Refused: it is not as agreed; every flaw is named.
    """
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        texts = flaws(error)
        raise Refused(400, f"The body is not as agreed: {texts[0]}", texts) from error


def parsed_items(model: type[Model], items: Iterable[Any], key: str, most: int) -> list[Model]:
    """The items of a list as models; all of them are good, and none is named twice.

    Args:
        key: property of an item by which it is told from the others.
        most: how many items are taken.

    Raises:
        Refused: there are too many, or some are wrong; names each.
    """
    items = list(items)
    if len(items) > most:
        raise Refused(413, f"{len(items)} items in one request; at most {most} are taken")
    found: dict[str, Model] = {}
    messages: list[str] = []
    for number, item in enumerate(items, 1):
        try:
            one = model.model_validate(item)
        except ValidationError as error:
            messages += [f"item {number}: {text}" for text in flaws(error)]
        else:
            messages += [f"item {number}: {getattr(one, key)} is named before"] * (getattr(one, key) in found)
            found[getattr(one, key)] = one
    need_none(messages)
    return list(found.values())


def need_none(messages: list[str]) -> None:
    """Returns when nothing is wrong.

    Raises:
        Refused: something is; nothing of the request was done.
    """
    if messages:
        raise Refused(400, f"{len(messages)} flaws, nothing was done: {messages[0]}", messages)


def need_not_refused(refused: frozenset[str], *keys: str | None) -> None:
    """Returns unless the fault dial refuses one of the keys; the first key is named.

    Raises:
        Refused: it does.
    """
    if not refused.isdisjoint(keys):
        raise Refused(400, f"{keys[0]} is refused")


def flaws(error: ValidationError) -> list[str]:
    """What is wrong with a body, member by member."""
    return [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors(include_url=False)]
