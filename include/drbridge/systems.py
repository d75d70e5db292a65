"""What drbridge moves, from where to where: the typed view of `systems.toml`.

The file names flows, the places they read from and deliver to, and for each REST endpoint what to do when nobody can
know whether a request took effect. It holds no secrets: addresses and passwords live in Airflow connections.
"""

from __future__ import annotations

import fnmatch
import os
import tomllib
from functools import cached_property
from pathlib import Path
from typing import Self

from pydantic import ValidationError, model_validator

from drbridge.contracts import FILES
from drbridge.errors import Misconfigured
from drbridge.settings import (
    Compare,
    Destination,
    Difference,
    Endpoint,
    Flow,
    Frozen,
    Keep,
    Lookups,
    NoticeKind,
    Notify,
    Profile,
    Site,
    Store,
    Target,
    UnknownPolicy,
)

PROFILES = ("23C", "26.4", "all")
DEFAULT_FILE = Path(__file__).resolve().parents[1] / "config" / "systems.toml"


class Systems(Frozen):
    """Everything `systems.toml` says, checked."""

    site: Site
    notify: Notify = Notify()
    keep: Keep = Keep()
    compare: Compare = Compare()
    targets: dict[str, Target] = {}
    endpoints: dict[str, Endpoint]
    stores: dict[str, Store]
    flows: dict[str, Flow]

    @model_validator(mode="after")
    def _destinations_exist(self) -> Self:
        for flow in self.flows.values():
            for name in flow.destinations:
                if name not in self.endpoints and name not in self.stores:
                    raise ValueError(f"flow {flow.name}: no endpoint or store is called {name!r}")
            if flow.answer in self.stores:
                raise ValueError(f"flow {flow.name}: answer {flow.answer!r} is a store; an answer goes to an endpoint")
        return self

    @model_validator(mode="after")
    def _rows_are_there_to_send(self) -> Self:
        for flow in self.flows.values():
            unread = any(not FILES[noun].has_rows for noun in flow.prefixes.values())
            if unread and any(name in self.endpoints for name in flow.destinations):
                raise ValueError(f"flow {flow.name}: files of any kind have no rows to send: deliver them to stores")
        return self

    @model_validator(mode="after")
    def _targets_are_called(self) -> Self:
        if unknown := set(self.targets) - {endpoint.connection for endpoint in self.endpoints.values()}:
            raise ValueError(f"targets: no endpoint uses the connection {', '.join(sorted(unknown))}")
        return self

    @model_validator(mode="after")
    def _readers_exist(self) -> Self:
        known = {word for name in self.flows for word in (name, *name.split("_")[:2])}
        if unknown := set(self.notify.to_process_of) - known:
            raise ValueError(f"notify.to_process_of: no flow or system is called {', '.join(sorted(unknown))}")
        return self

    def flow(self, name: str) -> Flow:
        """The flow with this DAG id.

        Raises:
            Misconfigured: systems.toml does not name it.
        """
        try:
            return self.flows[name]
        except KeyError:
            raise Misconfigured(
                f"The flow {name} is not in systems.toml", fix=f"add [flows.{name}] or remove its DAG file"
            ) from None

    def destination(self, name: str) -> Destination:
        return self.endpoints[name] if name in self.endpoints else self.stores[name]

    def calls_per_second(self, connection: str) -> float | None:
        """How fast deliveries may go to a REST connection; None: as fast as it answers."""
        return self.targets[connection].calls_per_second if connection in self.targets else None

    def is_answer(self, flow_name: str, destination: str) -> bool:
        """Whether what a flow sends to a destination are answers; nothing that an unknown flow sends is."""
        flow = self.flows.get(flow_name)
        return flow is not None and destination == flow.answer

    def is_on(self, flow: Flow) -> bool:
        """Whether the installation's profile has this flow."""
        return self.site.profile == "all" or self.site.profile in flow.profiles

    def threshold(self, flow: Flow) -> float:
        own = flow.reject_threshold_percent
        return self.site.reject_threshold_percent if own is None else own

    @cached_property
    def _by_source(self) -> dict[str, list[Flow]]:
        groups: dict[str, list[Flow]] = {}
        for flow in self.flows.values():
            if self.is_on(flow) and flow.source:
                groups.setdefault(flow.source.rstrip("/"), []).append(flow)
        return groups

    def flows_of_message(self, noun: str) -> list[Flow]:
        """All switched-on flows that take messages of this noun."""
        return [flow for flow in self.flows.values() if flow.message == noun and self.is_on(flow)]

    def flows_sharing(self, source: str, noun: str) -> list[Flow]:
        """All switched-on flows that take this noun from this place: one arriving file is a delivery of each."""
        return [flow for flow in self._by_source.get(source.rstrip("/"), []) if noun in flow.prefixes.values()]

    def is_marked(self, file_name: str) -> bool:
        """Whether a source file's name says that it was dealt with (`Sent-`, `Error-`)."""
        return file_name.startswith((self.site.sent_prefix, self.site.error_prefix))

    def takes(self, flow: Flow, file_name: str) -> bool:
        """Whether the flow works on a file of this name."""
        ours = flow.noun_of(file_name) is not None and not self.is_marked(file_name)
        if flow.control_record and file_name.endswith(flow.control_record):
            return False
        return ours and not fnmatch.fnmatchcase(file_name, f"*{flow.done_marker}") and not is_rejects(file_name)


def is_rejects(file_name: str) -> bool:
    """Whether a file is one that we laid beside a source: its refused rows."""
    return file_name.endswith(".rejects.csv")


def settings_file() -> Path:
    """The `systems.toml` of this installation: DRBRIDGE_CONFIG, else the checkout's."""
    return Path(os.environ.get("DRBRIDGE_CONFIG") or DEFAULT_FILE)


def stamp() -> tuple[int, ...]:
    """Differs once `systems.toml` was changed; empty while there is none."""
    try:
        seen = settings_file().stat()
    except OSError:
        return ()
    return seen.st_mtime_ns, seen.st_size, seen.st_ino


def load(path: Path | None = None) -> Systems:
    """Reads `systems.toml` (from `path`, else the installation's).

    Raises:
        Misconfigured: it is missing, not TOML, or says something that cannot be.
    """
    file = path or settings_file()
    try:
        text = tomllib.loads(file.read_text(encoding="utf-8"))
        site = dict(text.pop("site", {}))
        alone = {kind: text.pop(kind) for kind in ("notify", "keep", "compare") if kind in text}
        if profile := os.environ.get("DRBRIDGE_PROFILE"):
            site["profile"] = _known_profile(profile)
        named = {kind: _named(table) for kind, table in text.items()}
        told = Systems.model_validate({"site": site, **alone, **named})
    except FileNotFoundError as error:
        raise Misconfigured(f"{file} is not there", fix="set DRBRIDGE_CONFIG to your systems.toml") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, ValidationError, TypeError, AttributeError, OSError) as error:
        detail = in_words(error) if isinstance(error, ValidationError) else str(error)
        raise Misconfigured(f"{file} cannot be used", detail=detail, fix="correct it and try again") from error
    here = {name: each.of_release(told.site.profile) for name, each in told.endpoints.items()}
    return told.model_copy(update={"endpoints": here})


def in_words(error: ValidationError) -> str:
    """What is wrong, as `where: what`; without the words that only programmers need."""
    told = []
    for problem in error.errors():
        where = ".".join(str(part) for part in problem["loc"])
        what = problem["msg"].removeprefix("Value error, ")
        told.append(f"{where}: {what}" if where else what)
    return "; ".join(told)


def _known_profile(name: str) -> str:
    if name not in PROFILES:
        raise Misconfigured(
            f"DRBRIDGE_PROFILE is {name}, which is no release", fix=f"set it to one of {', '.join(PROFILES)}"
        )
    return name


def _named(table: dict[str, dict[str, object]]) -> dict[str, dict[str, object]]:
    return {name: {"name": name, **entry} for name, entry in table.items()}


__all__ = [
    "DEFAULT_FILE", "PROFILES", "Compare", "Destination", "Difference", "Endpoint", "Flow", "Keep", "Lookups",
    "NoticeKind", "Notify", "Profile", "Site", "Store", "Systems", "Target", "UnknownPolicy", "in_words", "is_rejects",
    "load",
]  # fmt: skip
