"""What `systems.toml` can say: the installation, the endpoints, the stores, the flows, who is told what."""

from __future__ import annotations

import re
from datetime import timedelta
from itertools import chain
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from drbridge.contracts import FILES, MESSAGES

Profile = Literal["23C", "26.4"]
UnknownPolicy = Literal["resend", "query", "park"]


def _duration(given: object) -> object:
    if isinstance(given, timedelta):
        return given
    found = re.fullmatch(r"(\d{1,5}) (minute|hour|day)s?", given) if isinstance(given, str) else None
    if not found:
        raise ValueError("write it as in '30 minutes', '4 hours' or '2 days'")
    return timedelta(**{f"{found[2]}s": int(found[1])})


Duration = Annotated[timedelta, BeforeValidator(_duration)]
"""A length of time as in `4 hours` or `30 minutes`."""

_Listing = Annotated[str, Field(pattern=r"^$|^rest://[^/]+/.+")]


class Frozen(BaseModel):
    """A table of systems.toml: what it does not know is a mistake of the writer's."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Lookups(Frozen):
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


class Site(Frozen):
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


class Difference(Frozen):
    """What is different at an endpoint in one release; what is not said stays.

    Attributes:
        operation: how its requests are built there.
        method: `POST`, `PUT` or `PATCH`.
        path: comes after the connection's address.
    """

    operation: str = ""
    method: Literal["POST", "PUT", "PATCH"] | None = None
    path: str = ""


class Endpoint(Frozen):
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
        in_flight: requests of one sender under way at once, at most; the other side meets `in_flight` times `senders`.
        senders: how many senders a large file is cut for (from 10,000 rows on); as many tasks as the flow's DAG says
            share it.
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
    senders: int = Field(1, ge=1, le=32)
    max_tries: int = Field(10, ge=1)
    release: dict[Profile, Difference] = Field(default_factory=dict)

    def of_release(self, profile: str) -> Endpoint:
        """The endpoint as an installation of this release has it."""
        different = next((each for name, each in self.release.items() if name == profile), Difference())
        return self.model_copy(update=different.model_dump(exclude_unset=True))


class Target(Frozen):
    """What the owner of a REST connection asks of those who call it.

    Attributes:
        calls_per_second: deliveries go there no faster, however many workers send; without it as fast as it answers.
    """

    name: str
    calls_per_second: float | None = Field(None, gt=0, le=10_000)


class Store(Frozen):
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


class Keep(Frozen):
    """How long things are kept after they are settled, in days; what is open or waits for a person stays.

    Attributes:
        facts_days: what became of a file or message; more than a year, so that a season can be compared with the one
            before. After that the same file counts as new.
        payload_days: a message's content, sealed, so that it can be sent again.
        staging_days: staged rows, refused rows and files posted to the inbox. A file that is older than this by its
            business date is not compared with newer ones any more.
    """

    facts_days: int = Field(default=400, ge=1)
    payload_days: int = Field(default=90, ge=1)
    staging_days: int = Field(default=90, ge=1)

    @model_validator(mode="after")
    def _facts_outlive_content(self) -> Self:
        if self.facts_days < max(self.payload_days, self.staging_days):
            raise ValueError("facts_days is less than payload_days or staging_days")
        return self


class Compare(Frozen):
    """Lists that `reconcile` reads and compares each night, written `rest://<connection>/<path>`.

    Attributes:
        aggregators_at_dacs: the aggregators that DACS has.
        aggregators_at_derms: those that DERMS has; one that DACS has no longer is reported to it.
    """

    aggregators_at_dacs: _Listing = ""
    aggregators_at_derms: _Listing = ""


NoticeKind = Literal["error", "complete", "partial", "no_file"]
Address = Annotated[str, Field(pattern=r"^[^@\s,;<>]+@[^@\s,;<>]+$")]


class Notify(Frozen):
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


class Flow(Frozen):
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
            if noun not in FILES:
                raise ValueError(f"no contract is called {noun!r}; there are {', '.join(sorted(FILES))}")
        return self

    @property
    def destinations(self) -> tuple[str, ...]:
        """Everywhere it sends: where it delivers, and where it answers."""
        return (*self.deliver, self.answer) if self.answer else self.deliver

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
