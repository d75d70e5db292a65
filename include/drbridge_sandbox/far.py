"""Asking the far side: what a service of the sandbox has heard and done, and turning its fault dial."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

PAGE = 50_000


class SandboxError(RuntimeError):
    """The control API refused."""


@dataclass(frozen=True)
class Far:
    """The control API of one service.

    Attributes:
        system: dacs, derms or ccs.
        port: of the control API.
    """

    system: str
    port: int

    @property
    def url(self) -> str:
        """Where the control API is."""
        return f"http://127.0.0.1:{self.port}/_sandbox/{self.system}"

    def counts(self) -> dict[str, Any]:
        """How many requests came, by operation and status (`calls`), and `effects` by noun.

        Of a noun: `keys`, `effects` (changes), `received` (times named), `twice` (keys that changed more than once) and
        `late` (older versions that took effect after newer ones).
        """
        found: dict[str, Any] = self._ask("GET", "counts")
        return found

    def effects_of(self, noun: str) -> dict[str, dict[str, Any]]:
        """Every effect of a noun by business key: value, version, how often it changed and how often it was heard."""
        return {row["key"]: row for row in self.iter_effects(noun)}

    def iter_effects(self, noun: str, at_least: int = 0) -> Iterator[dict[str, Any]]:
        """Effects of a noun in the order of their keys, page by page; only those that changed `at_least` times."""
        after = ""
        while page := self._ask("GET", "effects", noun=noun, after=after, limit=PAGE, at_least=at_least):
            yield from page
            after = page[-1]["key"]

    def effect(self, noun: str, key: str) -> dict[str, Any] | None:
        """One effect, or None when the service never heard of the key."""
        found: dict[str, Any] | None = self._ask("GET", "effect", noun=noun, key=key)
        return found

    def requests(self, after: int = 0) -> list[dict[str, Any]]:
        """The log of requests, oldest first, beginning after a sequence number."""
        found: list[dict[str, Any]] = []
        while page := self._ask("GET", "requests", after=after, limit=10_000):
            found += page
            after = page[-1]["seq"]
        return found

    def calls(self, operation: str | None = None) -> int:
        """How many requests of an operation came; without one, all but those for a token, whatever became of them."""
        found = [row["operation"] for row in self.requests()]
        return found.count(operation) if operation else len(found) - found.count("token")

    def fault(self, name: str, **settings: Any) -> None:
        """Turns a fault on: see `drbridge_sandbox.rest.faults` for names and settings."""
        self._ask("POST", "faults", {"name": name, **settings})

    def faults(self) -> list[dict[str, Any]]:
        """The faults that are on."""
        found: list[dict[str, Any]] = self._ask("GET", "faults")
        return found

    def no_faults(self) -> None:
        """Turns all faults off; a service that is down stays down."""
        self._ask("DELETE", "faults")

    def down(self) -> None:
        """Makes the service refuse connections, until `up`."""
        self._ask("POST", "down")

    def up(self) -> None:
        """Lets the service take connections again."""
        self._ask("POST", "up")

    def reset(self) -> None:
        """Makes the service forget everything, and turns faults off."""
        self._ask("POST", "reset")

    def seed(self, sync_requests: Sequence[str]) -> int:
        """Makes sync requests wait for their acknowledgement in DACS; known ones keep their state."""
        new: int = self._ask("POST", "seed", {"sync_requests": list(sync_requests)})
        return new

    def records(self, kind: str, start: str = "") -> dict[str, dict[str, Any]]:
        """What the service keeps of a kind, by id in order; only ids that begin with `start`."""
        found: dict[str, dict[str, Any]] = self._ask("GET", f"records/{kind}", start=start)
        return found

    def plant(self, kind: str, values: Mapping[str, Mapping[str, Any]]) -> int:
        """Puts records there by hand: `customer`, `aggregator`, `device_communication`, ..."""
        planted: int = self._ask("POST", f"records/{kind}", values)
        return planted

    def uproot(self, kind: str, ids: Sequence[str]) -> int:
        """Takes records away by hand, as a user who deletes them; returns how many there were."""
        gone: int = self._ask("DELETE", f"records/{kind}", list(ids))
        return gone

    def know_customers(self, person_ids: Iterable[str]) -> int:
        """Makes customers known; from then on the service refuses to enroll any other."""
        return self.plant("customer", {each: {} for each in person_ids})

    def program_event_steps(self, stage_id: str) -> list[tuple[str, bool]]:
        """The steps of a program event in the order in which DACS was asked for them, and whether it took each."""
        steps = self.records("program_event_step", f"{stage_id}/").values()
        return [(each["step"], each["taken"]) for each in steps]

    def why_not_reservable(self, nic_id: str, head_end_system: str, start: str, end: str, event_id: str = "") -> str:
        """Why the DERMS may not reserve a device in a window (ISO 8601 times); empty when it may."""
        answer = self._ask("GET", "reservable", nicId=nic_id, headEndSystem=head_end_system, start=start, end=end,
                           eventId=event_id)  # fmt: skip
        return str(answer["why"])

    def revoke_tokens(self) -> None:
        """Makes every token given so far worthless."""
        self._ask("POST", "tokens", revoke="true")

    def token_lifetime(self, seconds: float) -> None:
        """How long tokens given from now on are good for."""
        self._ask("POST", "tokens", lifetime=seconds)

    def _ask(self, method: str, what: str, body: object = None, **query: object) -> Any:
        path = f"/_sandbox/{quote(self.system)}/{what}" + (f"?{urlencode(query)}" if query else "")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            content = None if body is None else json.dumps(body)
            connection.request(method, path, content, {"Content-Type": "application/json"})
            response = connection.getresponse()
            data = response.read()
        finally:
            connection.close()
        if response.status >= 400:
            raise SandboxError(f"{method} {path}: {response.status} {data[:500].decode('utf-8', 'replace')}")
        return json.loads(data) if data else None
