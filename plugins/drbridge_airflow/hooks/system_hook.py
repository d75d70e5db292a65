"""What the hooks of DACS, DERMS and CIS have in common: named operations over REST."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self
from urllib.parse import quote

from drbridge_airflow.hooks.rest import RestHook
from drbridge_airflow.hooks.told import Health, text

if TYPE_CHECKING:
    from drbridge.adapters.asking import Answered, Line
    from drbridge.contracts.message import Body
    from drbridge.ports import Connection, FilePart
    from drbridge.systems import Site

CHUNK = 1 << 20


class SystemHook(RestHook):
    """The REST services of one system, one method for each; a refusal raises an error of ours.

    In a `with` block all calls share one client and one token; without one each call has its own.

    Args:
        conn_id: the connection's id; the system's usual one if it is not given.
        run: within one run the same request, asked again, is a repetition: the other side answers as it did the first
            time and does nothing twice. Give Airflow's run id, and a task may be retried. Without it each call is new.
        site: settings of the installation; those of systems.toml if it is not given.

    Raises:
        Rejected: (each method) the other side refused; NotKnownThere: it does not know what was named.
        Busy: it asks us to wait.
        Unreachable: it gave no answer; the error says whether the request may have taken effect.
        Misconfigured: the connection does not work.
    """

    who: ClassVar[str]
    health_path: ClassVar[str]

    def __init__(self, conn_id: str = "", *, run: str = "", site: Site | None = None, **kwargs: Any) -> None:
        super().__init__(conn_id or self.default_conn_name, **kwargs)
        self.run = run
        self._given_site = site
        self._line: Line | None = None

    @cached_property
    def site(self) -> Site:
        """Settings of the installation that decide what a request says."""
        from drbridge.systems import load

        return self._given_site or load().site

    def __enter__(self) -> Self:
        from drbridge.adapters.asking import Line

        self._line = Line(self.target(), self.who, self.conn_id)
        return self

    def __exit__(self, *_: object) -> None:
        line, self._line = self._line, None
        if line is not None:
            line.close()

    def _health(self) -> Health:
        """Asks the system whether it is well."""
        data = self._get(self.health_path)
        return Health(text(data, "status"), text(data, "version"))

    def _connection(self) -> Connection:
        """The connection, looked at where this system tells its health unless its extras name another path."""
        found = super()._connection()
        return replace(found, extra={"health_path": self.health_path, **found.extra})

    def _get(self, path: str, *, names_a_record: bool = False) -> dict[str, Any]:
        return self._ask("GET", path, names_a_record=names_a_record).data

    def _ask(
        self, method: str, path: str, body: Body | None = None, *, file: FilePart | None = None,
        names_a_record: bool = False, done_words: tuple[str, ...] = (), id_member: str = "",
    ) -> Answered:  # fmt: skip
        """Sends one request and judges its reply.

        Args:
            names_a_record: HTTP 404 means that the record is not known, not that the path is wrong.
            done_words: words in a refusal that mean that the other side has it already.
            id_member: member of a refusal that holds the number of the record that was made all the same.
        """
        from drbridge.exchange.operation import Operation, Shape
        from drbridge.ports import Call

        shape: Shape = "file" if file else "message"
        operation = Operation(path, shape, names_a_resource=names_a_record, done_words=done_words, id_member=id_member)
        call = Call(method, path, self._key(method, path, body, file), json=body, file=file)
        with nullcontext() if self._line else self:
            assert self._line is not None
            return self._line.ask(call, operation)

    def _key(self, method: str, path: str, body: Body | None, file: FilePart | None) -> str:
        """The idempotency key: the same for the same request in the same run."""
        if not self.run:
            return uuid.uuid4().hex
        key = sha256(json.dumps([self.run, self.conn_id, method, path, body, file and file.name]).encode())
        for chunk in file.content() if file else ():
            key.update(chunk)
        return key.hexdigest()


def segment(name: str) -> str:
    """A name as a part of a path."""
    return quote(name, safe="")


def attachment(path: Path) -> FilePart:
    """A file of this machine as an attachment."""
    from drbridge.ports import FilePart

    return FilePart(path.name, path.stat().st_size, lambda: _chunks(path))


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk
