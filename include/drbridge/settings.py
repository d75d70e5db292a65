"""Settings of the whole installation beside its flows: how long things are kept, what is compared, who is told."""

from __future__ import annotations

import re
from datetime import timedelta
from itertools import chain
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator


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


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Keep(_Frozen):
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
