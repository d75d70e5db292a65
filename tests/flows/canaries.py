"""Canaries: words that nobody else uses, put into all that may name a person, and looked for everywhere afterwards."""

from __future__ import annotations

import copy
import json
import random
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from drbridge.contracts import CONTRACTS, MESSAGES
from drbridge.contracts.message import Member
from drbridge.exchange.desk import Desk
from drbridge.ledger.tables import messages, metadata
from tests.unit.contracts.messages import good

Where = tuple[str | int, ...]

SHAPES: tuple[Callable[[str, str], object], ...] = (
    lambda letters, _: f'Zoë {letters} O\'Brien "&<\\>\n',
    lambda _, digits: f"+1 ({digits[:3]}) {digits[3:6]}-{digits[6:]}",
    lambda letters, _: f"{letters}@example.org",
    lambda letters, _: f"Bearer {letters}",
    lambda letters, _: letters.upper(),
    lambda _, digits: digits,
    lambda _, digits: int(digits),
    lambda letters, _: {f"member-{letters}": letters},
)  # fmt: skip
"""A name, a telephone number, an address, a token, ids, a number, and a member that nobody agreed on."""


_BETWEEN_DIGITS = str.maketrans("", "", " ()+-./")


@dataclass
class Cage:
    """The canaries that were let out.

    Attributes:
        known: each as it is found whatever is done to its spelling: small letters or digits only.
    """

    dice: random.Random = field(default_factory=lambda: random.Random(20_260_714))
    known: list[str] = field(default_factory=list)

    def fresh(self, shape: int) -> object:
        """A canary of a shape; it counts once it is `released`."""
        self.letters = "".join(self.dice.choices("ghjkmnpqrstvwxyz", k=12))
        self.digits = "".join(self.dice.choices("123456789", k=11))
        return SHAPES[shape % len(SHAPES)](self.letters, self.digits)

    def release(self) -> None:
        self.known += [self.letters, self.digits]

    def secret(self) -> str:
        """A password or token."""
        value = str(self.fresh(4)).lower()
        self.release()
        return value

    def found_in(self, texts: Iterable[str | bytes]) -> dict[str, str]:
        """The canaries in these texts, whatever was done to their spelling, each with what stands around it."""
        found: dict[str, str] = {}
        for text in texts:
            plain = (text.decode("latin-1") if isinstance(text, bytes) else text).lower()
            digits = plain.translate(_BETWEEN_DIGITS)
            for each in self.known:
                for spelling in (plain, digits) if each.isdigit() else (plain,):
                    if (at := spelling.find(each)) >= 0:
                        found.setdefault(each, spelling[max(0, at - 100) : at + 100])
        return found


def planted(cage: Cage, noun: str) -> dict[str, Any]:
    """The hand-written message with a canary in every field, known or not, that validation lets one into."""
    data: dict[str, Any] = copy.deepcopy(good(noun)) | {"password": cage.secret(), "more": {"phone": cage.secret()}}
    for number, where in enumerate(list(_fields(MESSAGES[noun], data))):
        for shape in range(len(SHAPES)):
            tried = copy.deepcopy(data)
            _put(tried, where, cage.fresh(number + shape))
            if _is_taken(noun, tried):
                cage.release()
                data = tried
                break
    return data


def spoilt(cage: Cage, noun: str) -> Iterator[dict[str, Any]]:
    """The message with one canary at a time where validation does not let it in."""
    for number, where in enumerate(list(_fields(MESSAGES[noun], good(noun)))):
        for shape in range(len(SHAPES)):
            tried = copy.deepcopy(good(noun))
            _put(tried, where, cage.fresh(number + shape))
            if not _is_taken(noun, tried):
                cage.release()
                yield tried


def planted_row(cage: Cage, noun: str, fields: dict[str, str]) -> dict[str, str]:
    """A row of a file with a canary in every column that lets one in."""
    for number, column in enumerate(fields):
        for shape in (4, 5, 0, 1, 2, 3):
            tried = fields | {column: str(cage.fresh(number + shape)).replace('"', "").replace("\n", "")}
            try:
                CONTRACTS[noun].model.model_validate(tried)
            except ValidationError:
                continue
            cage.release()
            fields = tried
            break
    return fields


def spoilt_files(cage: Cage, fields: dict[str, str], delimiter: str) -> list[str]:
    """Rows with one canary too many: in each column, beside the last, a whole row of them; and one behind a quote."""
    rows = []
    for number in range(len(fields)):
        for shape in (4, 5):
            values = list(fields.values())
            values[number] = str(cage.fresh(shape))
            cage.release()
            rows.append(values)
    rows += [[*fields.values(), cage.secret()], [cage.secret() for _ in fields]]
    return ["".join(delimiter.join(values) + "\n" for values in rows), f'"{cage.secret()}']


def _is_taken(noun: str, data: Any) -> bool:
    try:
        MESSAGES[noun].model_validate(data)
    except ValidationError:
        return False
    return True


def _fields(kind: type[Member], data: dict[str, Any], before: Where = ()) -> Iterator[Where]:
    """Where fields are, those that the sample leaves out too."""
    for name, each in kind.model_fields.items():
        alias = each.validation_alias if isinstance(each.validation_alias, str) else each.alias or name
        value, inside = data.get(alias), next(_members(each.annotation), None)
        groups = value if isinstance(value, list) else [value]
        if inside is None:
            yield from (
                ((*before, alias, at) for at in range(len(groups))) if isinstance(value, list) else ((*before, alias),)
            )
        for at, group in enumerate(groups):
            if inside is not None and isinstance(group, dict):
                yield from _fields(inside, group, (*before, alias, at) if isinstance(value, list) else (*before, alias))


def _members(annotation: Any) -> Iterator[type[Member]]:
    if isinstance(annotation, type) and issubclass(annotation, Member):
        yield annotation
    for part in get_args(annotation):
        yield from _members(part)


def _put(data: Any, where: Where, value: object) -> None:
    for step in where[:-1]:
        data = data[step]
    data[where[-1]] = value


def ledger_text(desk: Desk, folder: Path) -> Iterator[str | bytes]:
    """Everything in the ledger but the sealed messages: each column of each table, then the files as they lie there."""
    with desk.ledger.read() as tx:
        for table in metadata.sorted_tables:
            columns = [column for column in table.columns if column is not messages.c.sealed]
            yield from (repr(tuple(row)) for row in tx.execute(table.select().with_only_columns(*columns)))
    yield from (file.read_bytes() for file in folder.glob("ledger.db*"))


ECHOES: dict[str, Callable[[str], tuple[int, object]]] = {
    "as it came": lambda said: (400, {"detail": said}),
    "in capitals": lambda said: (400, {"message": said.upper()}),
    "in a quotation": lambda said: (422, {"problemDetailDocument": {"title": json.dumps(json.dumps(said))}}),
    "without punctuation": lambda said: (409, {"error": "".join(c if c.isalnum() else " " for c in said)}),
    "in a business answer": lambda said: (200, {"status": "ERROR", "message": f"cannot take {said}"}),
    "in an acknowledgement": lambda said: (200, {"MsgAck": {"ackType": "ERROR", "responses": {"response": [
        {"value": said, "responseCode": "ERROR"}]}}}),
    "in a crash": lambda said: (500, {"detail": said}),
    "on a page": lambda said: (200, f"<html>{said}</html>"),
    "at the door": lambda said: (401, {"detail": said}),
}  # fmt: skip
"""How a far side may answer with all that it was sent."""


class Parrot(ThreadingHTTPServer):
    """A far side that answers each request with the request: its line, its headers and its body.

    Attributes:
        echo: one of `ECHOES`; "" takes everything without a word.
    """

    daemon_threads = True
    echo = ""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Parrot

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode("utf-8", "replace")
        said = f"{self.path} {body} {self.headers}"
        is_quiet = not self.server.echo or self.command == "GET"
        status, answer = (200, {"status": "UP"}) if is_quiet else ECHOES[self.server.echo](said)
        content = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("X-Said", "".join(letter for letter in said if letter.isprintable() and letter.isascii()))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PATCH = do_PUT = _answer  # noqa: N815

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@contextmanager
def parrot() -> Iterator[Parrot]:
    """A parrot on a free port."""
    with Parrot() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()
