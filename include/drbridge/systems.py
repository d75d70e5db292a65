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
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from drbridge.contracts import CONTRACTS
from drbridge.errors import Misconfigured

Profile = Literal["23C", "26.4"]
PROFILES = ("23C", "26.4", "all")
UnknownPolicy = Literal["resend", "query", "park"]

DEFAULT_FILE = Path(__file__).resolve().parents[1] / "config" / "systems.toml"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Site(_Frozen):
    """Settings of the whole installation.

    Attributes:
        profile: which release's flows are on: `23C`, `26.4` or `all`; DRBRIDGE_PROFILE overrides it.
        sent_prefix: put before a source file's name when all of it is settled.
        error_prefix: put before it when it was refused.
        reject_threshold_percent: more refused rows than this stop a file.
        quiet_seconds: a file without a done-marker is whole when two looks this far apart see the same.
        max_file_bytes: a larger file is refused.
        max_unpacked_bytes: what a gzip or zip may grow to.
        program_event_key: what DACS knows an event by: its `stage` or its `event` id.
        default_message_category: sent to DACS for an ERROR acknowledgement that names no category.
    """

    profile: Literal["23C", "26.4", "all"] = "all"
    sent_prefix: str = Field("Sent-", min_length=1)
    error_prefix: str = Field("Error-", min_length=1)
    reject_threshold_percent: float = Field(5, ge=0, le=100)
    quiet_seconds: float = Field(5, ge=0)
    max_file_bytes: int = Field(1 << 30, gt=0)
    max_unpacked_bytes: int = Field(10 << 30, gt=0)
    program_event_key: Literal["stage", "event"] = "stage"
    default_message_category: int = Field(90000, ge=-99999, le=99999)


class Endpoint(_Frozen):
    """One REST operation of another system.

    Attributes:
        connection: id of the Airflow connection (type `http`).
        method: `POST`, `PUT` or `PATCH`.
        path: comes after the connection's address; names in braces are filled in from the row.
        operation: how a request is built and its answer read (`drbridge.exchange.operations`).
        rows: rows of one request, where it carries a chunk.
        unknown: what to do with a request whose effect nobody knows: `resend` it or `park` it for a person; `query` is
            for operations that can be asked, and there is none yet.
        reason: why that is right here, for the next reader.
        in_flight: requests under way at once, at most.
        max_tries: a request that stays in doubt this often while its target works is parked for a person.
    """

    name: str
    connection: str
    method: Literal["POST", "PUT", "PATCH"]
    path: str
    operation: str
    rows: int = Field(500, ge=1, le=10_000)
    unknown: UnknownPolicy
    reason: str = Field(min_length=10)
    in_flight: int = Field(8, ge=1, le=256)
    max_tries: int = Field(10, ge=1)


class Store(_Frozen):
    """A folder or bucket prefix that files are delivered to.

    Attributes:
        url: `sftp://<connection>/<folder>` or `s3://<connection>/<bucket>/<prefix>`.
    """

    name: str
    url: str = Field(pattern=r"^(sftp|s3)://[^/]+/.+")

    @property
    def connection(self) -> str:
        return self.url.split("/")[2]


Destination = Endpoint | Store


class Flow(_Frozen):
    """One integration process: one DAG.

    Attributes:
        title: its name in the Airflow UI.
        process: the business process whose DAG folder it lives in.
        profiles: the releases whose guide names this flow.
        source: where its files lie, written like a store's url.
        prefixes: start of a file's name -> the noun of its contract.
        deliver: names of endpoints and stores.
        answer: the endpoint that the sender's acknowledgement goes to, if one is owed.
        delimiter: what stands between two fields.
        reject_threshold_percent: this flow's own limit of refused rows; without it the site's counts.
        done_marker: a file whose name with this behind it lies beside it is whole at once.
        after: start of a file's name -> the start of those that must be delivered first.
        control_record: what the name of a file's control record ends with; a file goes only when it agrees with its
            record, which follows it.
    """

    name: str
    title: str
    process: str
    profiles: frozenset[Profile]
    source: str = Field(pattern=r"^(sftp|s3)://[^/]+/.+")
    prefixes: dict[str, str]
    deliver: tuple[str, ...] = Field(min_length=1)
    answer: str | None = None
    delimiter: str = Field(",", min_length=1, max_length=1)
    reject_threshold_percent: float | None = Field(None, ge=0, le=100)
    done_marker: str = ".done"
    after: dict[str, str] = Field(default_factory=dict)
    control_record: str = ""

    @model_validator(mode="after")
    def _order_is_of_its_files(self) -> Self:
        for prefix in (*self.after, *self.after.values()):
            if prefix not in self.prefixes:
                raise ValueError(f"after: {prefix!r} is not one of its prefixes {', '.join(self.prefixes)}")
            if prefix in self._before(prefix):
                raise ValueError(f"after: {prefix!r} would have to wait for itself")
        return self

    @model_validator(mode="after")
    def _nouns_are_known(self) -> Self:
        for noun in self.prefixes.values():
            if noun not in CONTRACTS:
                raise ValueError(f"no contract is called {noun!r}; there are {', '.join(sorted(CONTRACTS))}")
        return self

    def noun_of(self, file_name: str) -> str | None:
        """The contract noun of a file by the start of its name, or None when the flow does not take it."""
        prefix = self.prefix_of(file_name)
        return None if prefix is None else self.prefixes[prefix]

    def goes_after(self, file_name: str) -> tuple[str, ...]:
        """How the names of the files begin that must be delivered before this one."""
        prefix = self.prefix_of(file_name)
        return () if prefix is None else self._before(prefix)

    def prefix_of(self, file_name: str) -> str | None:
        """Which of the flow's prefixes a file's name starts with."""
        return next((prefix for prefix in self.prefixes if file_name.startswith(prefix)), None)

    def _before(self, prefix: str) -> tuple[str, ...]:
        found: list[str] = []
        while (earlier := self.after.get(found[-1] if found else prefix)) and earlier not in found:
            found.append(earlier)
        return tuple(found)


class Systems(_Frozen):
    """Everything `systems.toml` says, checked."""

    site: Site
    endpoints: dict[str, Endpoint]
    stores: dict[str, Store]
    flows: dict[str, Flow]

    @model_validator(mode="after")
    def _destinations_exist(self) -> Self:
        for flow in self.flows.values():
            for name in (*flow.deliver, *([flow.answer] if flow.answer else [])):
                if name not in self.endpoints and name not in self.stores:
                    raise ValueError(f"flow {flow.name}: no endpoint or store is called {name!r}")
            if flow.answer in self.stores:
                raise ValueError(f"flow {flow.name}: answer {flow.answer!r} is a store; an answer goes to an endpoint")
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
            if self.is_on(flow):
                groups.setdefault(flow.source.rstrip("/"), []).append(flow)
        return groups

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


def load(path: Path | None = None) -> Systems:
    """Reads `systems.toml` (from `path`, else DRBRIDGE_CONFIG, else the checkout's).

    Raises:
        Misconfigured: it is missing, not TOML, or says something that cannot be.
    """
    file = path or Path(os.environ.get("DRBRIDGE_CONFIG") or DEFAULT_FILE)
    try:
        text = tomllib.loads(file.read_text(encoding="utf-8"))
        site = dict(text.pop("site", {}))
        if profile := os.environ.get("DRBRIDGE_PROFILE"):
            site["profile"] = _known_profile(profile)
        return Systems.model_validate({"site": site, **{kind: _named(table) for kind, table in text.items()}})
    except FileNotFoundError as error:
        raise Misconfigured(f"{file} is not there", fix="set DRBRIDGE_CONFIG to your systems.toml") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, ValidationError, TypeError, AttributeError, OSError) as error:
        detail = in_words(error) if isinstance(error, ValidationError) else str(error)
        raise Misconfigured(f"{file} cannot be used", detail=detail, fix="correct it and try again") from error


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
