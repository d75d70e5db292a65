"""Object storage without conditional writes: both kinds that are met in the field, before the sandbox's real store.

`ignores`: the store does not know the headers, and overwrites. `refuses`: it answers 501 to every write with one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from drbridge.ports import Connection
from tests.faults.passing_on import OF_THE_LINE, XML, Answer, PassingOn, refusal, standing_before

Kind = Literal["ignores", "refuses"]
CONDITIONS = ("if-none-match", "if-match")
NOT_PASSED_ON = {*CONDITIONS, *OF_THE_LINE, "authorization", "host", "x-amz-date"}


@dataclass
class PlainStore:
    """The proxy before a store.

    Attributes:
        connection: to the proxy.
        before_write: called with method and path right before a write is passed on: a worker may be held up there.
        dropped: writes that came with a condition.
    """

    kind: Kind
    connection: Connection
    before_write: Callable[[str, str], None] = lambda method, path: None
    dropped: list[str] = field(default_factory=list)


@contextmanager
def serving(real: Connection, kind: Kind) -> Iterator[PlainStore]:
    """Runs such a store before the one behind the connection."""
    store = PlainStore(kind, real)
    handler = type("Handler", (_Handler,), {"store": store, "real": real})
    with standing_before(real, handler) as store.connection:
        yield store


class _Handler(PassingOn):
    """Passes a request on, signed anew: the signature it came with covers the condition, too."""

    store: PlainStore
    real: Connection

    def replied(self, body: bytes) -> Answer:
        if self.command in ("PUT", "POST"):
            conditional = any(name in self.headers for name in CONDITIONS)
            if conditional:
                self.store.dropped.append(self.path)
            if conditional and self.store.kind == "refuses":
                return 501, XML, refusal("NotImplemented", "no conditions")
            self.store.before_write(self.command, self.path)
        return self._signed_anew(body)

    def _signed_anew(self, body: bytes) -> Answer:
        there = urlsplit(str(self.real.extra["endpoint_url"]))
        kept = {name: value for name, value in self.headers.items() if name.lower() not in NOT_PASSED_ON}
        request = AWSRequest(self.command, f"{there.scheme}://{there.netloc}{self.path}", data=body, headers=kept)
        S3SigV4Auth(Credentials(self.real.login, self.real.password), "s3", "us-east-1").add_auth(request)
        return self.asked(there.netloc, [("Host", there.netloc), *request.headers.items()], body)
