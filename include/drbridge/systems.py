"""What drbridge moves, from where to where: the typed view of `systems.toml`.

The file names flows, the places they read from and deliver to, and for each REST endpoint what to do when nobody can
know whether a request took effect. It holds no secrets: addresses and passwords live in Airflow connections.
"""

from __future__ import annotations

import fnmatch
import os
import re
import tomllib
from datetime import timedelta
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from drbridge.contracts import CONTRACTS, MESSAGES
from drbridge.errors import Misconfigured

Profile = Literal["23C", "26.4"]
PROFILES = ("23C", "26.4", "all")
UnknownPolicy = Literal["resend", "query", "park"]

DEFAULT_FILE = Path(__file__).resolve().parents[1] / "config" / "systems.toml"


def duration(text: object) -> object:
    """A length of time as in `4 hours` or `30 minutes`; what is none is left to be refused."""
    found = re.fullmatch(r"(\d{1,5}) (minute|hour|day)s?", text) if isinstance(text, str) else None
    if not found:
        raise ValueError("write it as in '30 minutes', '4 hours' or '2 days'")
    return timedelta(**{f"{found[2]}s": int(found[1])})


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
        keep_days: what became of a file or message is known this long after it was settled; more than a year, so that
            a season can be compared with the one before. After that the same file counts as new.
        keep_payload_days: so long after it was settled a message's content is kept, sealed, so that it can be sent
            again.
        keep_staging_days: the same for staged rows, refused rows and files posted to the inbox. A file that is older
            than this by its business date is not compared with newer ones any more.
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
    keep_days: int = Field(400, ge=1)
    keep_payload_days: int = Field(90, ge=1)
    keep_staging_days: int = Field(90, ge=1)

    @model_validator(mode="after")
    def _facts_outlive_content(self) -> Self:
        if self.keep_days < max(self.keep_payload_days, self.keep_staging_days):
            raise ValueError("keep_days is less than keep_payload_days or keep_staging_days")
        return self


class Endpoint(_Frozen):
    """One REST operation of another system.

    Attributes:
        connection: id of the Airflow connection (type `http`).
        method: `POST`, `PUT` or `PATCH`.
        path: comes after the connection's address; names in braces are filled in from the row.
        operation: how a request is built and its answer read (`drbridge.exchange.operations`).
        rows: rows of one request, where it carries a chunk.
        unknown: what to do with a request whose effect nobody knows: `resend` it, `query` the other side first, or
            `park` it for a person.
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
        is_emptied: whether its owner takes files away once they are read: `reconcile` then misses none.
    """

    name: str
    url: str = Field(pattern=r"^(sftp|s3)://[^/]+/.+")
    is_emptied: bool = False

    @property
    def connection(self) -> str:
        return self.url.split("/")[2]


Destination = Endpoint | Store

_Duration = Annotated[timedelta, BeforeValidator(duration)]
_Listing = Annotated[str, Field(pattern=r"^$|^rest://[^/]+/.+")]


class Compare(_Frozen):
    """Lists that `reconcile` reads and compares each night, written `rest://<connection>/<path>`.

    Attributes:
        aggregators_at_dacs: the aggregators that DACS has.
        aggregators_at_derms: those that DERMS has; one that DACS has no longer is reported to it.
    """

    aggregators_at_dacs: _Listing = ""
    aggregators_at_derms: _Listing = ""


NoticeKind = Literal["error", "complete", "partial", "no_file"]
Address = Annotated[str, Field(pattern=r"^[^@\s,;<>]+@[^@\s,;<>]+$")]


class Notify(_Frozen):
    """Who is told what. Without a connection for mail and one for a webhook, nobody is told anything.

    Attributes:
        mail: id of the Airflow connection (type `smtp`) that mail goes out through.
        sender: the address it comes from.
        webhook: id of the Airflow connection (type `http`) that gets every notice as JSON.
        base_url: where Airflow's UI is, for the link; without it Airflow's own `[api] base_url`.
        error: tell the owners of technical errors, refused files, and files that wait for a person.
        process_complete: tell the business users which files were delivered, wholly or in part.
        process_nofile: tell them when a day brought no file.
        to: the owners.
        to_process: the business users.
        to_process_of: business users instead of those, by the name of a flow, or of a system it reads or writes.
    """

    mail: str | None = None
    sender: Address = "drbridge@localhost"
    webhook: str | None = None
    base_url: Annotated[str, Field(pattern=r"^(https?://\S+)?$")] = ""
    error: bool = True
    process_complete: bool = True
    process_nofile: bool = False
    to: tuple[Address, ...] = ()
    to_process: tuple[Address, ...] = ()
    to_process_of: dict[str, tuple[Address, ...]] = {}

    @property
    def is_on(self) -> bool:
        """Whether anybody can be told anything."""
        return bool(self.mail or self.webhook)

    def wants(self, kind: NoticeKind) -> bool:
        """Whether anybody is to be told of this kind of thing."""
        return {"error": self.error, "no_file": self.process_nofile}.get(kind, self.process_complete)

    def recipients(self, kind: NoticeKind, flow: str) -> tuple[str, ...]:
        """Whom a mail goes to: the owners, or the business users of the flow, or else of the systems in its name."""
        if kind == "error":
            return self.to
        if flow in self.to_process_of:
            return self.to_process_of[flow]
        of_systems = [self.to_process_of[system] for system in flow.split("_")[:2] if system in self.to_process_of]
        return tuple(dict.fromkeys(chain.from_iterable(of_systems))) or self.to_process

    def channels(self, kind: NoticeKind, flow: str) -> tuple[str, ...]:
        """The ways by which a notice goes out: `mail`, `webhook`, both or none."""
        if not self.wants(kind):
            return ()
        ways = {"mail": self.mail and self.recipients(kind, flow), "webhook": self.webhook}
        return tuple(way for way, goes in ways.items() if goes)


class Flow(_Frozen):
    """One integration process: one DAG.

    Attributes:
        title: its name in the Airflow UI.
        process: the business process whose DAG folder it lives in.
        profiles: the releases whose guide names this flow.
        source: where its files lie, written like a store's url; empty in a flow of messages.
        prefixes: start of a file's name -> the noun of its contract.
        message: the noun of the messages it takes from the inbox; empty in a flow of files.
        deliver: names of endpoints and stores.
        routes: what a message names (a division, an instance) -> the one of `deliver` it goes to; the first without.
        answer: the endpoint that the sender's acknowledgement goes to, if one is owed.
        delimiter: what stands between two fields.
        reject_threshold_percent: this flow's own limit of refused rows; without it the site's counts.
        done_marker: a file whose name with this behind it lies beside it is whole at once.
        answer_within: how long what it takes may stay unsettled, and an answer to it may be missing, as in `4 hours`
            (by what it takes: 30 minutes to a day), before `overdue_answers` says so.
    """

    name: str
    title: str
    process: str
    profiles: frozenset[Profile]
    source: str = Field("", pattern=r"^$|^((sftp|s3)://[^/]+/.+|inbox://[^/]+)$")
    prefixes: dict[str, str] = Field(default_factory=dict)
    message: str = ""
    deliver: tuple[str, ...] = Field(min_length=1)
    routes: dict[str, str] = Field(default_factory=dict)
    answer: str | None = None
    delimiter: str = Field(",", min_length=1, max_length=1)
    reject_threshold_percent: float | None = Field(None, ge=0, le=100)
    done_marker: str = ".done"
    answer_within: _Duration | None = None

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

    def destination_of(self, route: str) -> str:
        """Where a message goes by what it names."""
        return self.routes.get(route, self.deliver[0])

    def noun_of(self, file_name: str) -> str | None:
        """The contract noun of a file by the start of its name, or None when the flow does not take it."""
        for prefix, noun in self.prefixes.items():
            if file_name.startswith(prefix):
                return noun
        return None


class Systems(_Frozen):
    """Everything `systems.toml` says, checked."""

    site: Site
    notify: Notify = Notify()
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
        site, notify, compare = dict(text.pop("site", {})), text.pop("notify", {}), text.pop("compare", {})
        if profile := os.environ.get("DRBRIDGE_PROFILE"):
            site["profile"] = _known_profile(profile)
        named = {kind: _named(table) for kind, table in text.items()}
        return Systems.model_validate({"site": site, "notify": notify, "compare": compare, **named})
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
