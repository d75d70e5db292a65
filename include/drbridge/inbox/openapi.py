"""The inbox's own description: every message with its fields, every answer with its shape."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from drbridge.contracts import MESSAGES
from drbridge.inbox.paths import DOORS, Door
from drbridge.inbox.problems import MEDIA_TYPE, SCHEMA

REF = "#/components/schemas/{model}"
PROBLEMS = {
    400: "the body cannot be read", 401: "nobody is signed in", 403: "the caller may not give this flow work",
    404: "no flow takes this in this release", 408: "the request came too slowly", 413: "it is too large",
    415: "another content type is needed", 422: "it is not as agreed, or its number stands for another message",
    503: "it cannot be stored now",
}  # fmt: skip
OF_A_MESSAGE = (401, 403, 404, 503)
OF_HEALTH = (503,)

STORED: dict[str, Any] = {
    "type": "object",
    "required": ["messageNumber", "state", "status"],
    "properties": {
        "messageNumber": {"type": "string"},
        "state": {"type": "string", "enum": ["stored"]},
        "status": {"type": "string", "description": "where to ask what has become of it"},
    },
}
RESULT: dict[str, Any] = {
    "type": "object",
    "required": ["messageNumber", "noun", "state", "receivedAt"],
    "properties": {
        "messageNumber": {"type": "string"},
        "noun": {"type": "string"},
        "state": {"type": "string", "enum": ["stored", "under way", "waits for a person", "settled"]},
        "receivedAt": {"type": "string", "format": "date-time"},
        "MsgAck": {"type": "object", "description": "once it is settled: what was taken, what was refused, and why"},
    },
}


def describe(app: FastAPI, published: bool) -> None:
    """Has the app describe itself so."""

    def openapi() -> dict[str, Any]:
        if not app.openapi_schema:
            app.openapi_schema = _document(app, published)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _document(app: FastAPI, published: bool) -> dict[str, Any]:
    return {
        "openapi": "3.1.0",
        "info": {"title": app.title, "version": app.version, "description": __doc__},
        "paths": {
            **{f"/{door.published if published else door.short}": {"post": _door(door)} for door in DOORS},
            "/messages/{number}": {"get": _message()},
            "/health": {"get": _health()},
        },
        "components": {
            "schemas": {**_schemas(), "Problem": SCHEMA, "Stored": STORED, "Result": RESULT},
            "securitySchemes": {"basic": {"type": "http", "scheme": "basic"},
                                "bearer": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"basic": []}, {"bearer": []}],
    }  # fmt: skip


def _schemas() -> dict[str, Any]:
    models = [(each, "validation") for each in MESSAGES.values()]
    _, definitions = models_json_schema(models, by_alias=True, ref_template=REF)  # type: ignore[arg-type]
    return {name: _lenient(schema) for name, schema in definitions.get("$defs", {}).items()}


def _lenient(schema: dict[str, Any]) -> dict[str, Any]:
    """A member that is not required may also be null or empty: that is the same as leaving it out."""
    required = schema.get("required", ())
    members = schema.get("properties", {})
    absent = [{"type": "null"}, {"const": ""}]
    loose = {name: each if name in required else {"anyOf": [each, *absent]} for name, each in members.items()}
    return {**schema, "properties": loose} if members else schema


def _door(door: Door) -> dict[str, Any]:
    return {
        "operationId": door.noun,
        "summary": _title(door),
        "parameters": [_prefer()],
        "requestBody": {"required": True, "content": _content(door)},
        "responses": {
            "202": _answer("Stored", "it is stored, and goes"),
            "200": _answer("Result", "it is settled: what the caller waited for"),
            **_problems(tuple(PROBLEMS)),
        },
    }


def _title(door: Door) -> str:
    return MESSAGES[door.noun].title if door.noun in MESSAGES else f"A file: {door.noun.replace('_', ' ')}"


def _content(door: Door) -> dict[str, Any]:
    message: dict[str, Any] = {"$ref": REF.format(model=_model(door).__name__)} if door.noun in MESSAGES else {}
    file = {"type": "string", "format": "binary"}
    match door.shape:
        case "json":
            return {"application/json": {"schema": message}}
        case "json and file":
            parts = {"message": {"type": "string", "contentMediaType": "application/json", "contentSchema": message},
                     "file": file}  # fmt: skip
            return {"multipart/form-data": {"schema": _parts(parts)}}
        case _:
            return {"multipart/form-data": {"schema": _parts({"file": file})}}


def _parts(parts: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": list(parts), "properties": parts}


def _model(door: Door) -> type[BaseModel]:
    return MESSAGES[door.noun]


def _message() -> dict[str, Any]:
    number = {"name": "number", "in": "path", "required": True, "schema": {"type": "string"}}
    return {
        "operationId": "message",
        "summary": "What has become of a message",
        "parameters": [number, _prefer()],
        "responses": {"200": _answer("Result", "where it is"), **_problems(OF_A_MESSAGE)},
    }


def _health() -> dict[str, Any]:
    body = {"application/json": {"schema": {"type": "object", "required": ["status"]}}}
    return {
        "operationId": "health",
        "summary": "Whether messages can be stored now",
        "security": [],
        "responses": {"200": {"description": "they can", "content": body}, **_problems(OF_HEALTH)},
    }


def _prefer() -> dict[str, Any]:
    words = "wait=SECONDS holds the call for its result, at most a minute"
    return {"name": "Prefer", "in": "header", "required": False, "description": words, "schema": {"type": "string"}}


def _answer(schema: str, description: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": {"$ref": REF.format(model=schema)}}}}


def _problems(statuses: tuple[int, ...]) -> dict[str, Any]:
    body = {MEDIA_TYPE: {"schema": {"$ref": REF.format(model="Problem")}}}
    return {str(status): {"description": PROBLEMS[status], "content": body} for status in statuses}
