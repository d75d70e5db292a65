"""The part of the contracts' page that tells of messages, written from their models themselves."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic.alias_generators import to_camel

from drbridge.contracts import MESSAGES, Message
from drbridge.contracts.msg_ack import MsgAck

INTRO = """
# The message contracts

Messages are JSON objects in UTF-8. Members that nobody agreed on are passed over; `null` and `""` say the same as a
member that is not there. Ids are text. Times carry their offset from UTC. A number stands for one content: the same
message again changes nothing, another one under its number is refused. Requests about one entity go one after the
other, the older first, and one that a newer has overtaken does not go.
"""

Schema = Mapping[str, Any]


def message_sections() -> Iterator[str]:
    """The introduction, then a section for each message that a sender numbers: a posted file is none."""
    yield INTRO
    for _, kind in sorted(MESSAGES.items()):
        if kind.numbered_by in kind.model_fields:
            yield _section(kind)


def _section(kind: type[Message]) -> str:
    frame = f" It may come inside a member `{kind.frame}`." if kind.frame else ""
    else_by = ", else `dacsMessageId` and `whenISO`" if issubclass(kind, MsgAck) else ""
    schema = kind.model_json_schema()
    rows = "".join(_rows(schema, schema.get("$defs", {})))
    return (
        f"\n## `{kind.noun}`: {kind.title}\n\n{_told(kind)}{frame}\n\n"
        f"Number: `{to_camel(kind.numbered_by)}`{else_by}. Requests: {_requests(kind)}\n\n"
        f"| member | required | form |\n|---|---|---|\n{rows}"
    )


def _told(kind: type[Message]) -> str:
    return " ".join((inspect.getdoc(kind) or "").partition("Attributes:")[0].split())


def _requests(kind: type[Message]) -> str:
    if kind.parts is Message.parts:
        return "one, in any order."
    text = " ".join((inspect.getdoc(kind.parts) or "").split())
    return text[:1].lower() + text[1:]


def _rows(schema: Schema, groups: Mapping[str, Schema], above: str = "") -> Iterator[str]:
    """A line for each member, those of a group behind the group's own name; of a group that may be left out, what is
    required when it is there."""
    for name, told in schema["properties"].items():
        found = next((each for each in told.get("anyOf", ()) if each.get("type") != "null"), told)
        items, needed = found.get("items", {}), name in schema.get("required", ())
        many, group = "items" in found, groups.get(_group_of(found) or _group_of(items))
        form = f"a list of at most {found['maxItems']}" if many else "a group" if group else _form(found)
        if many and not group:
            form += f": {_form(items)}"
        yield f"| `{above}{name}` | {'yes' if needed else ''} | {form} |\n"
        if group:
            yield from _rows(group, groups, f"{above}{name}{'[]' if many else ''}.")


def _group_of(told: Schema) -> str:
    return str(told.get("$ref", "")).rpartition("/")[2]


def _form(told: Schema) -> str:
    """What a value looks like, in words."""
    if "enum" in told:
        return ", ".join(f"`{each}`" for each in told["enum"])
    if "pattern" in told:
        return f"text like `{told['pattern'].replace('|', chr(92) + '|')}`"
    match told.get("format"), told.get("type"):
        case "date-time", _:
            return "a time with its offset, as in 2026-07-14T18:00:00Z"
        case "date", _:
            return "a day, as in 2026-07-14"
        case _, "integer":
            most = f" and at most {told['maximum']}" if "maximum" in told else ""
            return f"a whole number, at least {told.get('minimum', 0)}{most}"
        case _, "boolean":
            return "`true` or `false`"
    longest = f" of at most {told['maxLength']} characters" if "maxLength" in told else ""
    return f"text{longest}"
