"""The hand-written messages, and one of them with a single thing changed."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from drbridge.contracts import MESSAGES, Message

SAMPLES = Path(__file__).parents[2] / "samples" / "messages"
LEFT_OUT = object()
NOUNS = [noun for noun in MESSAGES if noun != "posted_file"]
"""What others send; a posted file is described by ourselves."""

Where = tuple[str | int, ...]


def sample(noun: str) -> Any:
    """A message as its sender writes it."""
    return json.loads((SAMPLES / f"{noun}.json").read_text())


def good(noun: str) -> Any:
    """The same without its frame."""
    return MESSAGES[noun].unwrapped(sample(noun))


def changed(noun: str, *changes: tuple[Where, Any]) -> Any:
    """A good message with other values in some places; LEFT_OUT takes the member away."""
    data = copy.deepcopy(good(noun))
    for where, value in changes:
        group = data
        for step in where[:-1]:
            group = group[step]
        if value is LEFT_OUT:
            del group[where[-1]]
        else:
            group[where[-1]] = value
    return data


def read(noun: str, data: Any) -> Any:
    """The message of a noun; `Any`, so that tests may ask for its own fields."""
    message: Message = MESSAGES[noun].model_validate(data)
    return message


def refused(noun: str, data: Any) -> list[tuple[Where, str]]:
    """Where and what is said against a message; nothing when it is taken."""
    try:
        MESSAGES[noun].model_validate(data)
    except ValidationError as error:
        return [(each["loc"], each["msg"]) for each in error.errors(include_url=False, include_input=False)]
    return []
