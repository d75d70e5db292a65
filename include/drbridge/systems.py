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

from drbridge.contracts import CONTRACTS, MESSAGES
from drbridge.errors import Misconfigured
from drbridge.settings import Compare, Duration, Keep, Notify

Profile = Literal["23C", "26.4"]
PROFILES = ("23C", "26.4", "all")
UnknownPolicy = Literal["resend", "query", "park"]

DEFAULT_FILE = Path(__file__).resolve().parents[1] / "config" / "systems.toml"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Lookups(_Frozen):
    """The other systems' own words for what a message says in ours; what is not listed goes as it came.

    Attributes:
        asset_specification: DACS's word for a make and model, as in `ECOBEE!EB-STATE5`.
        asset_type: DACS's word for a type of device.
        allow_event_days: the DERMS's word for a day of the week.
        cycle_frequency: the DERMS's word for how often.
    """

    asset_specification: dict[str, str] = Field(default_factory=dict)
    asset_type: dict[str, str] = Field(default_factory=dict)
    allow_event_days: dict[str, str] = Field(default_factory=dict)
    cycle_frequency: dict[str, str] = Field(default_factory=dict)


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
        lookups: words that the other systems write differently.
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
    lookups: Lookups = Lookups()


class Difference(_Frozen):
    """What is different at an endpoint in one release; what is not said stays.

    Attributes:
        operation: how its requests are built there.
        method: `POST`, `PUT` or `PATCH`.
        path: comes after the connection's address.
    """

    operation: str = ""
    method: Literal["POST", "PUT", "PATCH"] | None = None
    path: str = ""


class Endpoint(_Frozen):
    """One REST operation of another system.

    Attributes:
        connection: id of the Airflow connection (type `http`).
        method: `POST`, `PUT` or `PATCH`.
        path: comes after the connection's address; names in braces are filled in from the row or message.
        operation: how a request is built and its answer read (`drbridge.exchange.operations`).
        rows: rows of one request, where it carries a chunk.
        unknown: what to do with a request whose effect nobody knows: `resend` it, `query` the other side first, or
            `park` it for a person.
        reason: why that is right here, for the next reader.
        in_flight: requests under way at once, at most.
        max_tries: a request that stays in doubt this often while its target works is parked for a person.
        release: what is different in a release, when the installation's profile is that release.
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
    release: dict[Profile, Difference] = Field(default_factory=dict)

    def of_release(self, profile: str) -> Endpoint:
        """The endpoint as an installation of this release has it."""
        different = next((each for name, each in self.release.items() if name == profile), Difference())
        return self.model_copy(update=different.model_dump(exclude_unset=True))


class Store(_Frozen):
    """A folder or bucket prefix that files are delivered to.

    Attributes:
        url: `sftp://<connection>/<folder>` or `s3://<connection>/<bucket>/<prefix>`.
        is_emptied: whether its owner takes files away once they are read: `reconcile` then misses none.
    """

    name: str
    url: str = Field(pattern=r"^(sftp|s3)://[^/]+/.+")
    is_emptied: bool = False

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
        source: where its files lie, written like a store's url, and behind a blank the folder of the inbox where those
            lie that come by REST; empty in a flow of messages.
        prefixes: start of a file's name -> the noun of its contract.
        message: the noun of the messages it takes from the inbox; empty in a flow of files.
        deliver: names of endpoints and stores.
        routes: what a message names (a division, an instance) -> the one of `deliver` it goes to; the first without.
        answer: the endpoint that the sender's acknowledgement goes to, if one is owed.
        delimiter: what stands between two fields.
        reject_threshold_percent: this flow's own limit of refused rows; without it the site's counts.
        done_marker: a file whose name with this behind it lies beside it is whole at once.
        answer_within: how long what it takes may stay unsettled, and an answer to it may be missing, as in `4 hours`
            (without it: 30 minutes to 2 days, by what it takes), before `overdue_answers` says so.
        after: start of a file's name -> the start of those that must be delivered first.
        control_record: what the name of a file's control record ends with; a file goes only when it agrees with its
            record, which follows it.
    """

    name: str
    title: str
    process: str
    profiles: frozenset[Profile]
    source: str = Field("", pattern=r"^$|^(sftp|s3)://[^/ ]+/[^ ]+( inbox://[^/ ]+)?$|^inbox://[^/ ]+$")
    prefixes: dict[str, str] = Field(default_factory=dict)
    message: str = ""
    deliver: tuple[str, ...] = Field(min_length=1)
    routes: dict[str, str] = Field(default_factory=dict)
    answer: str | None = None
    delimiter: str = Field(",", min_length=1, max_length=1)
    reject_threshold_percent: float | None = Field(None, ge=0, le=100)
    done_marker: str = ".done"
    answer_within: Duration | None = None
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
    def _takes_files_or_messages(self) -> Self:
        if bool(self.message) == bool(self.source and self.prefixes):
            raise ValueError("it takes files (source and prefixes) or messages (message), and one of them only")
        if self.message and self.message not in MESSAGES:
            raise ValueError(f"no message is called {self.message!r}; there are {', '.join(sorted(MESSAGES))}")
        for destination in self.routes.values():
            if destination not in self.deliver:
                raise ValueError(f"routes name {destination!r}, which is not among deliver")
        return self

    @model_validator(mode="after")
    def _nouns_are_known(self) -> Self:
        for noun in self.prefixes.values():
            if noun not in CONTRACTS:
                raise ValueError(f"no contract is called {noun!r}; there are {', '.join(sorted(CONTRACTS))}")
        return self

    @property
    def places(self) -> tuple[str, ...]:
        """Where its files lie at other systems: without the inbox, which is our own."""
        return tuple(url for url in self.source.split() if not url.startswith("inbox://"))

    @property
    def rejects(self) -> str:
        """Where the refused rows of its files are laid: beside them."""
        return f"{self.source.split()[0].rstrip('/')}/rejects"

    def destination_of(self, route: str) -> str:
        """Where a message goes by what it names."""
        return self.routes.get(route, self.deliver[0])

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
    notify: Notify = Notify()
    keep: Keep = Keep()
    compare: Compare = Compare()
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


def load(path: Path | None = None) -> Systems:
    """Reads `systems.toml` (from `path`, else DRBRIDGE_CONFIG, else the checkout's).

    Raises:
        Misconfigured: it is missing, not TOML, or says something that cannot be.
    """
    file = path or Path(os.environ.get("DRBRIDGE_CONFIG") or DEFAULT_FILE)
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
