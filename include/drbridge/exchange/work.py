"""What one run of a flow is asked to do."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from drbridge.errors import BadInput
from drbridge.systems import in_words

DAY = "%Y-%m-%d %H:%MZ"
MEANING = ("destination", "reason", "program")
Resend = Literal["nothing", "failed", "unknown", "all"]


class Work(BaseModel):
    """The window of work of one run.

    Attributes:
        run: what asked for it, "<dag id>/<run id>"; a run's resend is carried out once, however often it is cleared.
        who: the person who asked, or "schedule"; kept in the audit of every resend.
        why: the reason that person gave; kept there too.
        file: a file's name, a message's number, or a glob of either; None is everything.
        since, until: business dates in [since, until), UTC.
        destination: only what goes there: an endpoint or store of systems.toml; None is all of the flow's.
        reason: of what is sent again only what ended with this code, or with these words in the other side's answer.
        program: of that, only what names this program.
        resend: which settled parcels to send again: refused ones, those in doubt, or all.
        dry_run: show the calls that would be sent, send none.
        by_hand: a person asked, so waiting times left over from an outage are cut short.
        by_clock: the clock started it: when nothing is there, that may be told.
        settled_too: show files that are settled already, so that a backfill's grid has a row for each of its day.
    """

    model_config = ConfigDict(frozen=True)

    run: str = ""
    who: str = "schedule"
    why: str = ""
    file: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    destination: str | None = None
    reason: str | None = None
    program: str | None = None
    resend: Resend = "nothing"
    dry_run: bool = False
    by_hand: bool = False
    by_clock: bool = False
    settled_too: bool = False

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        if self.since and self.until and self.since >= self.until:
            raise ValueError("since is not before until")
        if self.resend in ("failed", "all") and not self.is_narrowed:
            raise ValueError(
                f"resend={self.resend} needs a file, since and until, a reason or a program, so that not everything "
                "goes again"
            )
        if self.resend == "nothing" and self.means_some:
            raise ValueError("destination, reason and program choose what is sent again: say so in resend")
        return self

    @property
    def is_narrowed(self) -> bool:
        return any(each is not None for each in (self.file, self.since, self.until, self.reason, self.program))

    @property
    def means_some(self) -> bool:
        """Whether what is sent again is chosen by what it means."""
        return any(each is not None for each in (self.destination, self.reason, self.program))

    @property
    def asked_for(self) -> str:
        """The window in words."""
        told = [f"file {self.file}" if self.file else "", f"since {self.since:{DAY}}" if self.since else "",
                f"until {self.until:{DAY}}" if self.until else "",
                f"to {self.destination}" if self.destination else "", f"reason {self.reason}" if self.reason else "",
                f"program {self.program}" if self.program else ""]  # fmt: skip
        return ", ".join(filter(None, told)) or "every file"

    def wants_name(self, name: str) -> bool:
        return self.file is None or self.file == name or fnmatch.fnmatchcase(name, self.file)

    def wants_time(self, business_at: datetime | None) -> bool:
        """Whether a business date lies in the window; an unknown one is decided once the file has been read."""
        if business_at is None:
            return True
        return not (self.since and business_at < self.since) and not (self.until and business_at >= self.until)


def work_of(
    run_type: str,
    params: Mapping[str, object],
    interval: tuple[datetime, datetime] | None,
    who: str | None,
    run: str = "",
    prefixes: tuple[str, ...] = (),
) -> Work:
    """Turns what Airflow knows of a run into its window of work.

    A file may be named as it is called now or as it was: blanks around it and the prefix of its last name are dropped.

    Args:
        run_type: scheduled, manual, asset_triggered or backfill.
        params: the trigger form: file, since, until, resend, destination, reason, program, why, dry_run; a backfill's
            conf may carry all but the first three.
        interval: the run's data interval, absent for manual and asset-triggered runs.
        who: the Airflow user, if a person started it.
        run: "<dag id>/<run id>".
        prefixes: what files get before their names when they are put away.

    Raises:
        BadInput: the form asks for something that cannot be, with the reason.
    """
    asked = {name: value for name in ("resend", "dry_run") if (value := params.get(name)) not in (None, "")}
    meant = {name: text for name in MEANING if (text := str(params.get(name) or "").strip())}
    since, until = _time(params.get("since")), _time(params.get("until"))
    if run_type == "backfill" and interval is not None and since is None and until is None:
        since, until = interval
    by_hand = run_type in ("manual", "backfill")
    try:
        return Work.model_validate({
            **asked,
            **meant,
            "run": run,
            "file": _name_at_first(params.get("file"), prefixes),
            "since": since,
            "until": until,
            "why": str(params.get("why") or "").strip(),
            "who": who or ("a person" if by_hand else "schedule"),
            "by_hand": by_hand,
            "by_clock": run_type == "scheduled",
            "settled_too": run_type == "backfill",
        })
    except ValidationError as error:
        raise BadInput(
            "The run was asked for something that cannot be",
            detail=in_words(error),
            fix="correct the form and trigger again",
            code="bad_params",
        ) from error


def _name_at_first(given: object, prefixes: tuple[str, ...]) -> str | None:
    """A file's name or pattern as the sender wrote it: files that were put away are known by their first name."""
    name = str(given or "").strip()
    for prefix in prefixes:
        name = name.removeprefix(prefix)
    return name or None


def _time(value: object) -> datetime | None:
    if value in (None, ""):
        return None
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        raise BadInput(
            f"{value!r} is not a date or time",
            fix="write it like 2026-07-14 or 2026-07-14T18:00:00Z",
            code="bad_params",
        ) from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
